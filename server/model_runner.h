// Runs batches on a network: each slot has its own threads, scratch and buffers.
//
// A slot has two threads, of which one works at a time: an ordinary one, and one of lower priority for batches that
// yield to the edge (BatchPriority). A thread cannot do both, since an unprivileged process may not raise a priority
// again. A network's own helper threads belong to the scratch and keep their priority: with several threads a slot,
// only a part of a batch yields. Where the system refuses a lower priority, both threads are ordinary ones.
//
// A thread gathers the members' rows into one contiguous input, runs the network, and scatters the outputs. None of
// that allocates where the members have room for their outputs. A network that fails or throws fails that batch only.
#ifndef ANYBIT_SERVER_MODEL_RUNNER_H_
#define ANYBIT_SERVER_MODEL_RUNNER_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/batch_runner.h"
#include "scheduler/loop/event_loop.h"
#include "server/processors.h"
#include "server/slot_turns.h"

namespace anybit::server {

struct ModelRunnerOptions {
  int slots = 1;                         // >= 1
  int max_batch = 1;                     // rows, >= 1
  std::vector<ProcessorSet> processors;  // of each slot's threads; empty: any
  // Called, on a slot's thread and perhaps more than once, when the network can run nothing any more.
  std::function<void(const absl::Status& why)> on_network_lost;
  // Where other runners have threads on the same processors; null: nowhere. A batch's waiting for its turn counts as
  // its computing, because that is how long the slot is taken. Outlives the runner.
  SlotTurns* turns = nullptr;
};

class ModelRunner : public scheduler::BatchRunner {
 public:
  // `network` and `loop` (asked for the time only) must outlive the runner. Each slot's scratch is made on its ordinary
  // thread, so that threads and memory of the scratch belong to the slot's processors. Returns when all slots can run;
  // throws std::bad_alloc or std::system_error where memory or threads are missing for one.
  ModelRunner(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
              const ModelRunnerOptions& options);

  // Finishes what runs, answers what was given, then joins.
  ~ModelRunner() override;

  int slots() const override;

  // Whether each slot is on its processors; otherwise why one runs on any.
  absl::Status pinning() const;

  // The members are InferencePayloads. `done` is called on a thread of the slot.
  void Run(int slot, scheduler::Batch batch, Done done) override;

 private:
  class Slot;

  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MODEL_RUNNER_H_
