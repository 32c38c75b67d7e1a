// The interface that executes batches. Production: server::ModelRunner (networks on slot threads); simulation:
// sim::SimRunner.
#ifndef ANYBIT_SCHEDULER_BATCH_RUNNER_H_
#define ANYBIT_SCHEDULER_BATCH_RUNNER_H_

#include "absl/functional/any_invocable.h"
#include "scheduler/batch.h"

namespace anybit::scheduler {

class BatchRunner {
 public:
  using Done = absl::AnyInvocable<void(BatchResult)>;

  virtual ~BatchRunner() = default;

  // Lanes that execute independently, numbered 0 .. slots()-1; at least 1.
  virtual int slots() const = 0;

  // Starts `batch` on a slot that is idle. `done` is called exactly once, on any thread, possibly before Run returns.
  // Times in the result come from the event loop the scheduler runs on. Loop thread only; never blocks.
  virtual void Run(int slot, Batch batch, Done done) = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_BATCH_RUNNER_H_
