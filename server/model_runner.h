// Runs batches on a network: one thread for each slot, each with its own scratch and buffers.
//
// A thread gathers the members' rows into one contiguous input, runs the network, and scatters the outputs. A network
// that fails or throws fails that batch, and nothing else.
#ifndef ANYBIT_SERVER_MODEL_RUNNER_H_
#define ANYBIT_SERVER_MODEL_RUNNER_H_

#include <memory>
#include <vector>

#include "model/adaptive_network.h"
#include "scheduler/batch_runner.h"
#include "scheduler/event_loop.h"

namespace anybit {

class ModelRunner : public BatchRunner {
 public:
  // `network` and `loop` (asked for the time only) must outlive the runner. slots >= 1, max_batch >= 1.
  ModelRunner(const AdaptiveNetwork& network, const EventLoop& loop, int slots, int max_batch);

  // Finishes what runs, answers what was given, then joins.
  ~ModelRunner() override;

  int slots() const override;

  // The members are InferencePayloads. `done` is called on the slot's thread.
  void Run(int slot, Batch batch, Done done) override;

 private:
  class Slot;

  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace anybit

#endif  // ANYBIT_SERVER_MODEL_RUNNER_H_
