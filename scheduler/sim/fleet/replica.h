// A server of a simulated fleet: the production scheduler on a simulated runner, and the counters that its metrics
// have.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_REPLICA_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_REPLICA_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "scheduler/admission/admission.h"
#include "scheduler/batch_runner.h"
#include "scheduler/latency/profile.h"
#include "scheduler/loop/event_loop.h"
#include "scheduler/observer.h"
#include "scheduler/policy.h"
#include "scheduler/request.h"
#include "scheduler/scheduler.h"

namespace anybit::scheduler::sim {

// The three signals that deploy/k8s scales by, in the order of its HorizontalPodAutoscaler.
inline constexpr int kFleetSignals = 3;

// What the metrics of a server count, and what the recording rules need of its profile.
class ReplicaMetrics final : public SchedulerObserver {
 public:
  ReplicaMetrics(const Profile& profile, int slots);

  void OnDispatched(const DispatchedEvent& event) override { rows_ += event.rows; }
  void OnQueue(const QueueEvent& event) override { waiting_rows_ = event.waiting_rows; }
  void OnEnded(const EndedEvent& event) override;

  // As Prometheus reads it.
  void Scrape(MonoTime now);

  // The signals by the last scrapes: seconds of work in the queue (mean of a minute), accuracy given up (share of the
  // points' range, over two minutes), load at full accuracy (share of the slots, over two minutes). `minute` is how
  // long a minute is. None before there were two scrapes.
  std::vector<std::optional<double>> Signals(Duration minute) const;

 private:
  struct Sample {
    MonoTime at{};
    double queue_work = 0;
    int64_t rows = 0, ended = 0, served = 0;
    double deficit = 0;
  };

  double best_accuracy_ = 0;
  double accuracy_range_ = 0;
  double row_seconds_ = 0;  // of the best point in its largest batch
  int slots_ = 1;
  int waiting_rows_ = 0;
  int64_t rows_ = 0, ended_ = 0, served_ = 0;
  double deficit_ = 0;
  std::vector<Sample> samples_;  // in the order of time
};

class Replica {
 public:
  // References outlive it.
  Replica(EventLoop& loop, std::unique_ptr<BatchRunner> runner, const SchedulingPolicy& policy, const Profile& profile);

  void Submit(MonoTime deadline, Scheduler::Done done);

  // Requests that have no outcome yet.
  int64_t open() const { return open_; }
  ReplicaMetrics& metrics() { return metrics_; }

 private:
  const AdmissionControl admission_{};
  const PointSet all_points_;
  ReplicaMetrics metrics_;
  const std::unique_ptr<BatchRunner> runner_;
  Scheduler scheduler_;
  int64_t open_ = 0;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_REPLICA_H_
