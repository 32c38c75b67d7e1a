// A runner without a network: a batch takes its profiled latency times seeded noise, in the loop's time.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_SIM_RUNNER_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_SIM_RUNNER_H_

#include <cstdint>
#include <random>

#include "scheduler/batch_runner.h"
#include "scheduler/latency/profile.h"
#include "scheduler/loop/event_loop.h"

namespace anybit::scheduler::sim {

struct SimRunnerOptions {
  int slots = 1;
  uint64_t seed = 0;
  // Latency = profile * k / 1000 with k uniform in [least, most]; whole numbers, so that scaled times stay exact.
  int least_permille = 1000;
  int most_permille = 1000;
  Duration overhead{};  // between the end of computing and the answer, not in the profile
  int fail_one_in = 0;  // batches that end with an Internal error, at random; 0: none
};

// Slots whose latencies are uniform within `noise` (0.05: five per cent) of the profile's.
SimRunnerOptions NoisyOptions(int slots, double noise, uint64_t seed);

class SimRunner final : public BatchRunner {
 public:
  // `loop` must outlive the runner.
  SimRunner(EventLoop& loop, Profile profile, SimRunnerOptions options);

  int slots() const override { return options_.slots; }
  void Run(int slot, Batch batch, Done done) override;

 private:
  EventLoop& loop_;
  const Profile profile_;
  const SimRunnerOptions options_;
  std::mt19937_64 random_;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_SIM_RUNNER_H_
