// The rule by which Kubernetes sizes a fleet: a HorizontalPodAutoscaler (autoscaling/v2) of metrics of pods.
//
// Each metric wants ceil(replicas * mean / target) replicas, and none other than now while the mean is within the
// tolerance of the target. The largest wish counts. It is then held back by stabilization windows and by the speeds at
// which replicas may be added and removed.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_AUTOSCALER_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_AUTOSCALER_H_

#include <chrono>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"

namespace anybit::scheduler::sim {

// Replicas that may be added or removed within a period: the larger of the two.
struct ScalingSpeed {
  int pods = 0;
  double share = 0;  // of the replicas at the period's begin
  Duration period{};
};

// What deploy/k8s/components/autoscaling/horizontalpodautoscaler.yaml says, apart from the metrics.
struct AutoscalerOptions {
  std::vector<double> targets;  // of each metric, for each pod; above 0
  int min_replicas = 2;
  int max_replicas = 10;
  double tolerance = 0.1;
  Duration up_window{};
  Duration down_window = std::chrono::seconds(300);
  ScalingSpeed up = {.pods = 2, .share = 1, .period = std::chrono::seconds(15)};
  ScalingSpeed down = {.pods = 1, .share = 0, .period = std::chrono::seconds(60)};
};

// What is known of one pod.
struct PodReading {
  bool ready = false;                         // else it starts, and its metrics do not count
  std::vector<std::optional<double>> values;  // by metric; none: not measured yet
};

class Autoscaler {
 public:
  explicit Autoscaler(AutoscalerOptions options) : options_(std::move(options)) {}

  // The replicas to have from now on. `pods` are all that there are, starting ones too; calls are in order of time.
  int Decide(MonoTime now, std::span<const PodReading> pods);

 private:
  struct Dated {
    MonoTime at{};
    int replicas = 0;  // recommended, or added (removed: below 0)
  };

  int Stabilize(MonoTime now, int current, int wanted);
  int Limit(MonoTime now, int current, int wanted) const;
  int ChangedSince(MonoTime begin, bool up) const;

  const AutoscalerOptions options_;
  std::deque<Dated> recommended_;  // within the longer window
  std::deque<Dated> changes_;      // within the longer period
};

// What one metric wants. `values` has one for each pod that is ready; `starting` pods have none.
int WantedReplicas(std::span<const std::optional<double>> values, int starting, double target, double tolerance);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_AUTOSCALER_H_
