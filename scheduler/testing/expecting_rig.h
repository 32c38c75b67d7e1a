// A whole scheduler in virtual time, of which a test learns how many arrivals it expects.
#ifndef ANYBIT_SCHEDULER_TESTING_EXPECTING_RIG_H_
#define ANYBIT_SCHEDULER_TESTING_EXPECTING_RIG_H_

#include <chrono>
#include <memory>
#include <string_view>

#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/policy.h"
#include "scheduler/scheduler.h"
#include "scheduler/testing/rig.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler::testing {

class ExpectingRig {
 public:
  Scheduler& scheduler() { return rig_.scheduler; }

  // Rows with a deadline in an objective of half a second, on the average over one and a half. Once.
  double ExpectedArrivals() {
    for (const int64_t tag : {1, 2}) {
      rig_.Submit(tag, {.deadline = rig_.loop.Now() + std::chrono::milliseconds(500), .allowed = kAnyPoint});
      rig_.loop.Run();
    }
    return expected_;
  }

 private:
  class Policy final : public SchedulingPolicy {
   public:
    explicit Policy(double& expected) : expected_(expected) {}
    std::string_view name() const override { return "remembers"; }
    void DecideInto(const SchedulerView& view, Decision& decision) const override {
      expected_ = view.arrivals.medium;
      decision = {.members = {0}, .plans = {{.slot = 0, .point = kHi, .count = 1}}};
    }

   private:
    double& expected_;
  };

  double expected_ = 0;
  Rig rig_{ThreePoints(), std::make_unique<Policy>(expected_)};
};

}  // namespace anybit::scheduler::testing

#endif  // ANYBIT_SCHEDULER_TESTING_EXPECTING_RIG_H_
