// Passes batches on to a runner, and copies a row of some with the class that the network found.
//
//   SampledRunner sampled(runner, input_elements, output_elements, [](RowSample sample) { ... });
//   Scheduler scheduler(loop, sampled, ...);
//   sampled.Want(except);  // the next batch that does not run at `except` gives a sample
#ifndef ANYBIT_SERVER_LIVE_ACCURACY_SAMPLED_RUNNER_H_
#define ANYBIT_SERVER_LIVE_ACCURACY_SAMPLED_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "scheduler/batch.h"
#include "scheduler/batch_runner.h"

namespace anybit::server {

// A row that was answered.
struct RowSample {
  PointId point{};
  std::string input;   // input elements, a code each
  int predicted = -1;  // the class of the answer
};

// The index of the largest logit, of several equal ones the first; -1 if one is not a number or there is none.
int PredictedClass(std::span<const float> logits);

class SampledRunner final : public scheduler::BatchRunner {
 public:
  using Take = std::function<void(RowSample)>;

  // Of rows with so many elements. `runner` outlives this. `take` runs on the threads that finish batches, before their
  // answers leave; if it has no memory (std::bad_alloc), the next batch gives the sample.
  SampledRunner(scheduler::BatchRunner& runner, int64_t input_elements, int64_t output_elements, Take take);

  int slots() const override { return runner_.slots(); }
  // The members are InferencePayloads.
  void Run(int slot, scheduler::Batch batch, Done done) override;

  // Asks for one sample that was not run at `except`. Any thread.
  void Want(PointId except);
  // Batches that have begun. Any thread.
  int64_t batches() const { return batches_.load(std::memory_order_relaxed); }
  // Slots that run a batch. Any thread.
  int busy_slots() const { return busy_slots_.load(std::memory_order_relaxed); }

 private:
  void Finish(int slot, scheduler::BatchResult result);
  bool TakeSample(const scheduler::BatchResult& result);

  scheduler::BatchRunner& runner_;
  const size_t input_elements_, output_elements_;
  const Take take_;
  std::vector<Done> dones_;  // by slot, of the batch that runs there
  std::atomic<int> busy_slots_ = 0;
  std::atomic<int64_t> batches_ = 0;
  // What Want asked for last; the slots' threads take it.
  static constexpr int kNothing = -1;
  std::atomic<int> wanted_except_ = kNothing;
  std::atomic<uint32_t> samples_ = 0;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LIVE_ACCURACY_SAMPLED_RUNNER_H_
