// Ours: the most accurate point that leaves room for what waits and for what is likely to come.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_H_

#include <vector>

#include "scheduler/policy.h"
#include "scheduler/profile.h"

namespace anybit {

struct AnybitOptions {
  double mix = 0.7;
  double spare = 0.95;
  double busy = 0.8;
  double burst = 1.0;
  double reserve = 1.5;
  double horizon = 2.0;
  int horizons = 8;
  double k1 = 0, k2 = 0, k3 = 0, k4 = 0, k5 = 0;
};

class Anybit final : public SchedulingPolicy {
 public:
  // `profile` is valid. Keeps no reference to it.
  explicit Anybit(const Profile& profile, AnybitOptions options = {});

  std::string_view name() const override { return "anybit"; }
  void DecideInto(const SchedulerView& view, Decision& decision) const override;

 private:
  struct Point {
    PointId id{};
    double accuracy = 0;
    double cost = 0;       // least time per row over all batch sizes, as profiled, ns
    int full = 1;          // the fewest rows whose time per row is within a tenth of that
    double value = 0;      // most accuracy per ns: max over rows of accuracy * rows / latency
  };
  class Planner;

  const AnybitOptions options_;
  std::vector<Point> points_;   // most accurate first, without those that another one dominates everywhere
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_H_
