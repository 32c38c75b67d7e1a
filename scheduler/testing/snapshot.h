// A SchedulerView written down literally, for tests of what is decided from one.
#ifndef ANYBIT_SCHEDULER_TESTING_SNAPSHOT_H_
#define ANYBIT_SCHEDULER_TESTING_SNAPSHOT_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scheduler/decision.h"
#include "scheduler/latency/arrival_meter.h"
#include "scheduler/latency/latency_model.h"
#include "scheduler/latency/profile.h"

namespace anybit::scheduler::testing {

// latency(b) = first + (b - 1) * next
struct AffinePoint {
  std::string name;
  double accuracy = 0;
  Duration first{};
  Duration next{};
};
Profile AffineProfile(const std::vector<AffinePoint>& points, int max_batch);

// "hi" .90: 10 ms + 2 ms per further row; "mid" .85: 5 + 1; "lo" .70: 2 + 0.5. Up to 8 rows.
Profile ThreePoints();
inline constexpr PointId kHi = ToPointId(0);
inline constexpr PointId kMid = ToPointId(1);
inline constexpr PointId kLo = ToPointId(2);
inline constexpr PointSet kAnyPoint = PointSet::First(3);

class Snapshot {
 public:
  explicit Snapshot(Profile profile, int slots = 1);

  // A request with the next id, 1, 2, ..., in its place in line. Its answer takes no time to be sent.
  Snapshot& Add(MonoTime run_by, PointSet allowed = kAnyPoint, int rows = 1, SlaClassId sla_class = {},
                TenantId tenant = {});
  // So many equal requests.
  Snapshot& AddMany(int count, MonoTime run_by, PointSet allowed = kAnyPoint, int rows = 1, SlaClassId sla_class = {},
                    TenantId tenant = {});
  Snapshot& At(MonoTime now);
  Snapshot& Occupy(int slot, MonoTime free_at);

  SchedulerView view() const;
  LatencyModel& latency() { return latency_; }

  MonoTime now{};
  ArrivalForecast arrivals;
  std::vector<double> class_weights;
  std::vector<TenantView> tenants;
  double attained_with_floor = 1;
  double attained_without_floor = 1;
  double aimd_rows = 1;
  int max_queue_requests = 100;
  bool draining = false;
  bool hurry = false;

 private:
  LatencyModel latency_;
  std::vector<SlotView> slots_;
  std::vector<PendingRequest> waiting_;
  uint64_t last_id_ = 0;
};

// The members of plan `i`, as positions; none if there is no such plan.
std::vector<int> MembersOfPlan(const Decision& decision, size_t i);

// The ids of the requests at these positions.
using IdList = std::vector<uint64_t>;
IdList Ids(const SchedulerView& view, std::span<const int> positions);

// The ids of the members of plan `i`; none if there is no such plan.
IdList PlannedIds(const SchedulerView& view, const Decision& decision, size_t i = 0);

// The instant `d` after the epoch.
constexpr MonoTime T(Duration d) { return MonoTime(d); }

}  // namespace anybit::scheduler::testing

#endif  // ANYBIT_SCHEDULER_TESTING_SNAPSHOT_H_
