#include "scheduler/sim/fleet/replica.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "scheduler/sim/traces/offered_request.h"

namespace anybit::scheduler::sim {

ReplicaMetrics::ReplicaMetrics(const Profile& profile, int slots) : slots_(slots) {
  double worst = 1;
  for (size_t p = 0; p < profile.points.size(); ++p) {
    const double accuracy = profile.points[p].accuracy;
    worst = std::min(worst, accuracy);
    if (accuracy <= best_accuracy_) continue;
    best_accuracy_ = accuracy;
    row_seconds_ = ToSeconds(profile.latency[p].back()) / profile.max_batch;
  }
  accuracy_range_ = best_accuracy_ - worst;
}

void ReplicaMetrics::OnEnded(const EndedEvent& event) {
  ++ended_;
  if (event.kind != OutcomeKind::kServed) return;
  ++served_;
  deficit_ += best_accuracy_ - event.expected_accuracy;
}

void ReplicaMetrics::Scrape(MonoTime now) {
  samples_.push_back({.at = now,
                      .queue_work = waiting_rows_ * row_seconds_ / slots_,
                      .rows = rows_,
                      .ended = ended_,
                      .served = served_,
                      .deficit = deficit_});
}

std::vector<std::optional<double>> ReplicaMetrics::Signals(Duration minute) const {
  if (samples_.size() < 2) return std::vector<std::optional<double>>(kFleetSignals);
  const Sample& last = samples_.back();
  const auto recent =
      std::partition_point(samples_.begin(), samples_.end(), [&](const Sample& s) { return s.at <= last.at - minute; });
  double work = 0;
  for (auto sample = recent; sample != samples_.end(); ++sample) work += sample->queue_work;
  work /= static_cast<double>(samples_.end() - recent);

  const Sample& first = *std::partition_point(samples_.begin(), samples_.end(),
                                              [&](const Sample& s) { return s.at < last.at - 2 * minute; });
  const auto served = static_cast<double>(last.served - first.served);
  const auto ended = static_cast<double>(last.ended - first.ended);
  const double seconds = ToSeconds(last.at - first.at);
  const double deficit =
      served > 0 && accuracy_range_ > 0 ? (last.deficit - first.deficit) / served / accuracy_range_ : 0;
  const double rows = static_cast<double>(last.rows - first.rows) / seconds;
  const double load = rows * row_seconds_ * ended / std::max(served, 1.0) / slots_;
  return {work, deficit, load};
}

Replica::Replica(EventLoop& loop, std::unique_ptr<BatchRunner> runner, const SchedulingPolicy& policy,
                 const Profile& profile)
    : all_points_(PointsAbove(profile, 0)),
      metrics_(profile, runner->slots()),
      runner_(std::move(runner)),
      scheduler_(loop, *runner_, policy, admission_, profile, {&metrics_}, {}) {}

void Replica::Submit(MonoTime deadline, Scheduler::Done done) {
  ++open_;
  scheduler_.Submit({.deadline = deadline, .allowed = all_points_},
                    [this, done = std::move(done)](Outcome outcome) mutable {
                      --open_;
                      done(std::move(outcome));
                    });
}

}  // namespace anybit::scheduler::sim
