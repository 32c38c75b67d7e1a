// How fast requests arrive: averages over several lengths of the past, from which a policy expects the future.
//
// Its one unit of time is the objective, the typical time from arrival to run_by, which it learns too: a world in which
// everything takes ten times as long is measured the same.
#ifndef ANYBIT_SCHEDULER_LATENCY_ARRIVAL_METER_H_
#define ANYBIT_SCHEDULER_LATENCY_ARRIVAL_METER_H_

#include <array>

#include "base/time.h"

namespace anybit::scheduler {

// Rates are of rows with a deadline, in rows per objective.
struct ArrivalForecast {
  // The time that each rate is averaged over, in objectives.
  static constexpr double kFastLength = 0.12;
  static constexpr double kMediumLength = 1.5;
  static constexpr double kSlowLength = 12;

  double fast = 0;
  double medium = 0;
  double slow = 0;
  double dispersion = 1;  // variance over mean of the rows that arrive in a fixed time; at least 1, as Poisson's
  Duration objective{};   // zero before the first request with a deadline
};

class ArrivalMeter {
 public:
  // `rows` arrived at `at`, and their batch must end by `run_by`; instants never go back. Without a deadline nothing
  // changes.
  void Count(MonoTime at, MonoTime run_by, int rows);

  // The typical time from arrival to run_by; zero before the first request with a deadline.
  Duration objective() const;

  // As seen from `now`, which is not before the last arrival.
  ArrivalForecast Forecast(MonoTime now) const;

 private:
  // Exponentially fading counts: each row weighs exp(-age / length).
  struct Average {
    double weight = 0;  // of all rows, as of last_
    double seen = 0;    // the share of a full past that has been seen since the first arrival, 0..1
  };
  static constexpr std::array<double, 3> kLengths = {ArrivalForecast::kFastLength, ArrivalForecast::kMediumLength,
                                                     ArrivalForecast::kSlowLength};

  void MoveObjective(double objective);
  void CloseWindows(MonoTime now);
  static double Rate(const Average& average, double length, double elapsed);

  double objective_ = 0;  // nanoseconds; 0: none yet
  MonoTime last_{};
  std::array<Average, 3> averages_;

  // Counts in windows of a quarter of an objective, for their dispersion. They begin anew when the objective has
  // changed: counts of windows of unlike lengths disperse without telling anything.
  double counted_with_ = 0;  // the objective when it began
  MonoTime window_end_{};
  double window_rows_ = 0;
  double mean_rows_ = 0;
  double variance_rows_ = 0;
  double windows_ = 0;
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_LATENCY_ARRIVAL_METER_H_
