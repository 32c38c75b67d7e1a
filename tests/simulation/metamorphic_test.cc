// The scheduler knows no unit of time: a world in which everything takes ten times as long runs the same, ten times
// as slowly, to the nanosecond. The one exception is the length of a batch without a deadline, so here all have one.
#include <chrono>
#include <cstdint>
#include <memory>

#include "gtest/gtest.h"
#include "tests/simulation/workload.h"

namespace anybit::simulation {
namespace {

constexpr int kFactor = 10;

// Far away, for those that have none.
Workload WithDeadlines(Workload workload) {
  for (WorkloadRequest& request : workload.requests) {
    if (request.deadline == kNever) request.deadline = request.arrival + std::chrono::minutes(10);
  }
  return workload;
}

Duration SinceStart(MonoTime time) { return time.time_since_epoch(); }

TEST(MetamorphicTest, TimesTenTimesAsLongGiveTheTraceTenTimesAsLong) {
  for (uint64_t seed = 0; seed < 200 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const Workload workload = WithDeadlines(RandomWorkload(seed));
    const Workload slow_workload = Scaled(workload, kFactor);
    int drained = 0;
    const std::unique_ptr<testing::Rig> rig = Prepare(workload, drained);
    const std::unique_ptr<testing::Rig> slow = Prepare(slow_workload, drained);
    rig->loop.Run();
    slow->loop.Run();

    ASSERT_EQ(rig->trace.dispatched().size(), slow->trace.dispatched().size());
    for (size_t i = 0; i < rig->trace.dispatched().size(); ++i) {
      const DispatchedEvent& event = rig->trace.dispatched()[i];
      const DispatchedEvent& slow_event = slow->trace.dispatched()[i];
      ASSERT_EQ(SinceStart(event.at) * kFactor, SinceStart(slow_event.at));
      ASSERT_EQ(event.predicted * kFactor, slow_event.predicted);
      ASSERT_EQ(event.slot, slow_event.slot);
      ASSERT_EQ(event.point, slow_event.point);
      ASSERT_EQ(event.rows, slow_event.rows);
    }
    ASSERT_EQ(rig->trace.ended().size(), slow->trace.ended().size());
    for (size_t i = 0; i < rig->trace.ended().size(); ++i) {
      const EndedEvent& event = rig->trace.ended()[i];
      const EndedEvent& slow_event = slow->trace.ended()[i];
      ASSERT_EQ(event.id, slow_event.id);
      ASSERT_EQ(event.kind, slow_event.kind);
      ASSERT_EQ(event.total_time * kFactor, slow_event.total_time);
    }
  }
}

}  // namespace
}  // namespace anybit::simulation
