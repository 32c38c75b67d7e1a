#include "scheduler/latency/arrival_meter.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace anybit::scheduler {
namespace {

// The share by which a new request moves the objective: quick enough to follow a change of clients within hundreds of
// requests.
constexpr double kObjectiveGain = 1.0 / 128;

// A deadline further away counts as this many objectives: one client of a hundred that waits for a minute does not make
// an objective of a second for the others. A change of all deadlines is still followed, in as many requests.
constexpr double kMaxObjectiveRatio = 8;

// Windows are begun anew where the objective has changed by this factor.
constexpr double kChangedObjectiveRatio = 2;

// Windows of a quarter of an objective see the clumps that fill a queue; averaged over some 64 of them.
constexpr double kWindow = 0.25;
constexpr double kWindowGain = 1.0 / 64;

// Empty windows beyond these change the averages by nothing that matters.
constexpr int kMaxEmptyWindows = 512;

double Nanoseconds(Duration d) { return static_cast<double>(d.count()); }

}  // namespace

void ArrivalMeter::Count(MonoTime at, MonoTime run_by, int rows) {
  if (run_by == kNever || run_by <= at) return;
  const double objective = Nanoseconds(run_by - at);
  if (objective_ == 0) {
    objective_ = objective;
    last_ = at;
  }
  MoveObjective(std::min(objective, kMaxObjectiveRatio * objective_));
  if (std::max(objective_, counted_with_) > kChangedObjectiveRatio * std::min(objective_, counted_with_)) {
    counted_with_ = objective_;
    window_end_ = at + Duration(std::llround(kWindow * objective_));
    window_rows_ = mean_rows_ = variance_rows_ = windows_ = 0;
  }
  const double elapsed = Nanoseconds(at - last_) / objective_;
  for (size_t i = 0; i < kLengths.size(); ++i) {
    const double kept = std::exp(-elapsed / kLengths[i]);
    averages_[i].weight = averages_[i].weight * kept + rows;
    averages_[i].seen = 1 - (1 - averages_[i].seen) * kept;
  }
  last_ = at;
  CloseWindows(at);
  window_rows_ += rows;
}

// Rates are per objective: in rows per second they stay what they were.
void ArrivalMeter::MoveObjective(double objective) {
  const double before = objective_;
  objective_ += kObjectiveGain * (objective - objective_);
  for (Average& average : averages_) average.weight *= objective_ / before;
}

void ArrivalMeter::CloseWindows(MonoTime now) {
  const Duration length(std::max<int64_t>(std::llround(kWindow * objective_), 1));
  for (int i = 0; now >= window_end_; ++i) {
    if (i == kMaxEmptyWindows) {
      window_end_ = now + length;
      return;
    }
    ++windows_;
    const double gain = std::max(1 / windows_, kWindowGain);
    const double off = window_rows_ - mean_rows_;
    mean_rows_ += gain * off;
    variance_rows_ = (1 - gain) * (variance_rows_ + gain * off * off);
    window_rows_ = 0;
    window_end_ += length;
  }
}

double ArrivalMeter::Rate(const Average& average, double length, double elapsed) {
  const double kept = std::exp(-elapsed / length);
  const double seen = 1 - (1 - average.seen) * kept;
  // A past shorter than a tenth of the average says little: as if it had been that long.
  return average.weight * kept / length / std::max(seen, 0.1);
}

Duration ArrivalMeter::objective() const { return Duration(std::llround(objective_)); }

ArrivalForecast ArrivalMeter::Forecast(MonoTime now) const {
  if (objective_ == 0) return {};
  const double elapsed = Nanoseconds(now - last_) / objective_;
  ArrivalForecast forecast{.fast = Rate(averages_[0], kLengths[0], elapsed),
                           .medium = Rate(averages_[1], kLengths[1], elapsed),
                           .slow = Rate(averages_[2], kLengths[2], elapsed),
                           .objective = objective()};
  if (mean_rows_ > 0) forecast.dispersion = std::max(1.0, variance_rows_ / mean_rows_);
  return forecast;
}

}  // namespace anybit::scheduler
