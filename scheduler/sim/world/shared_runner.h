// A runner without a network on processors that the edge may share: a batch is stretched by the edge's work, varies by
// seeded noise, and sometimes stalls.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_SHARED_RUNNER_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_SHARED_RUNNER_H_

#include <cstdint>
#include <deque>
#include <random>

#include "scheduler/batch_runner.h"
#include "scheduler/latency/profile.h"
#include "scheduler/loop/event_loop.h"
#include "scheduler/sim/world/shared_processor.h"
#include "scheduler/sim/world/world_options.h"

namespace anybit::scheduler::sim {

class SharedRunner final : public BatchRunner {
 public:
  // `loop` must outlive the runner. `noise` in [0, 1): of the work, uniform to either side.
  SharedRunner(EventLoop& loop, Profile profile, const WorldOptions& world, int slots, double noise, uint64_t seed);

  int slots() const override { return slots_; }
  void Run(int slot, Batch batch, Done done) override;

  // Where the edge works.
  SharedProcessor& edge_processor() { return processors_[edge_at_]; }

 private:
  EventLoop& loop_;
  const Profile profile_;
  const WorldOptions world_;
  const int slots_;
  const int spread_permille_;
  const size_t edge_at_;
  std::mt19937_64 random_;
  std::deque<SharedProcessor> processors_;  // by slot, then that of an edge that has its own
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_SHARED_RUNNER_H_
