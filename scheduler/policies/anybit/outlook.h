// The facts of one decision: the queue, how long batches take, and the arrivals to expect. They do not change while the
// decision is made. Times are doubles, in ns from now.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_OUTLOOK_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_OUTLOOK_H_

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "base/time.h"
#include "scheduler/decision.h"
#include "scheduler/latency/arrival_meter.h"
#include "scheduler/latency/latency_table.h"
#include "scheduler/latency/point_ranking.h"
#include "scheduler/policies/anybit/anybit_options.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

// Later than anything that is planned.
inline constexpr double kForever = 1e18;  // ns

inline double Nanoseconds(Duration d) { return static_cast<double>(d.count()); }

class Outlook {
 public:
  // Both outlive the outlook.
  Outlook(const SchedulerView& view, const AnybitOptions& options);

  const SchedulerView& view() const { return view_; }
  const AnybitOptions& options() const { return options_; }

  // Most accurate first.
  const std::vector<RankedPoint>& points() const { return ranking_.points(); }
  const PointRanking& ranking() const { return ranking_; }
  const RankedPoint& MostValuable(PointSet allowed) const;
  const RankedPoint& FastestFor(const PendingRequest& request) const;
  // Index of the most accurate of the cheaper points below points()[p]; p itself if there is none.
  size_t NextCheaper(size_t p) const;

  // The queue: positions [0, end()), those from with_deadline() on without a deadline.
  int end() const { return end_; }
  int with_deadline() const { return with_deadline_; }
  const PendingRequest& At(int position) const { return waiting_[static_cast<size_t>(position)]; }
  double Slack(int position) const {
    const MonoTime run_by = At(position).run_by;
    return run_by == kNever ? kForever : Nanoseconds(run_by - now_);
  }
  double Weight(int position) const { return RequestWeight(view_, At(position)); }
  bool IsAged(int position) const {
    return Nanoseconds(now_ - At(position).arrival) > options_.aging_threshold * objective_;
  }
  // Whether a request without a deadline has aged beside requests with one.
  bool has_aged() const { return has_aged_; }

  // Batches.
  int max_rows() const { return max_rows_; }
  double Predict(const RankedPoint& point, int rows) const { return Nanoseconds(latency_.Predict(point.id, rows)); }
  // Of many batches, one after the other.
  double Typical(const RankedPoint& point, int rows) const { return Nanoseconds(latency_.Typical(point.id, rows)); }
  // The typical time of a row of this ranked cost.
  double TypicalCost(double cost) const { return cost * latency_.typical_permille / 1000; }

  // Arrivals. The objective is 0 while none is known.
  double objective() const { return objective_; }
  double horizon() const { return options_.horizon * objective_; }
  double rate() const { return rate_; }  // rows per ns
  // Rows that arrive within `t` if arrivals are `margin` standard deviations above the forecast: where m are expected,
  // m + margin * sqrt(dispersion * m).
  double ArrivedBy(double t, double margin) const {
    const double m = rate_ * t;
    return m + margin * std::sqrt(dispersion_ * m);
  }
  // When the j-th row from now arrives then.
  double ArrivalOf(double j, double margin) const {
    if (rate_ <= 0) return kForever;
    const double s = margin * std::sqrt(dispersion_);
    const double root = (std::sqrt(s * s + 4 * j) - s) / 2;
    return root * root / rate_;
  }
  // Whether rows of `cost` need nearly all time of `slots` on the long average, and arrivals of late are not below it.
  bool NeedsAllTime(double cost, int slots) const;

 private:
  const SchedulerView& view_;
  const AnybitOptions& options_;
  // Of the view, at hand: they are read thousands of times a decision.
  const std::span<const PendingRequest> waiting_;
  const LatencyTable& latency_;
  const MonoTime now_;
  const double dispersion_;
  const PointRanking& ranking_;
  const int end_;
  const int with_deadline_;
  const int max_rows_;
  const double objective_;
  const double rate_;
  const bool has_aged_;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_OUTLOOK_H_
