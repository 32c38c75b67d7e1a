// The constants of the anybit policy, each with the measurement that set it.
//
// "Utility" is that of the study behind the policy: the mean over 630 simulated traces (14 workloads, 9 loads, 5 pairs
// of profile and objective) as a share of the exact bound, .9959 with all rules.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_OPTIONS_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_OPTIONS_H_

#include <chrono>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace anybit::scheduler {

struct AnybitOptions {
  // Bounds of memory and of time for one decision.

  // More slots are planned as if there were this many: the look-ahead then errs on the side of too little room.
  static constexpr int kMaxPlannedSlots = 64;
  // Batches simulated for one candidate. Queues that need more are judged by their rate at the end.
  int max_lookahead_batches = 64;
  // Requests read when they differ in what they accept. A batch and those that it passes over are among them.
  static constexpr int kMaxScannedRequests = 256;
  // Different sets of accepted points told apart among them; a further set ends the scan.
  static constexpr int kMaxKinds = 32;
  // One request in so many of the scanned is checked for being late even at the cheapest points.
  int late_check_interval = 8;

  // The look-ahead.

  // How far arrivals are foreseen, in objectives. Foreseeing none costs .014 of utility; knowing the true arrivals of
  // two objectives would gain .002.
  double horizon = 2;
  // Later batches are assumed to take this share of the way from the next cheaper point's time to the candidate's own.
  // If the queue grows they will go down to the cheaper point, but then the candidate has not been worth much either.
  // Planning them at the fastest point instead costs .026 of utility.
  double later_share = 0.4;
  // A candidate fails if the next cheaper point alone needs more than max_utilization of all time on the long average,
  // unless the rate of late is below busy_share of that average: free time is then an illusion. Both are worth less
  // than .0004 of utility on average, and 1 to 2 % of attainment at a load of 1.
  double max_utilization = 0.95;
  double busy_share = 0.8;

  // Requests without a deadline.

  // A batch of them takes at most this share of an objective, which is within the slack of most that arrive meanwhile;
  // without any objective, at most max_batch_without_objective, which people do not notice.
  double share_of_objective = 0.25;
  Duration max_batch_without_objective = std::chrono::milliseconds(50);
  // Once they have waited for aging_threshold objectives they get aged_share of the rows of each batch.
  double aging_threshold = 20;
  double aged_share = 0.25;

  // Overload.

  // A point of which only the profile is known is tried if it would be worth more than all others at this share of its
  // profiled time: beside other work, points were measured to differ by a third from a quiet machine.
  double hoped_time_share = 0.75;
  // The price of a trial is a batch that may earn a quarter less, so it has at most 1 / trial_divisor of the rows.
  int trial_divisor = 4;
  // A batch of mixed requests whose rows take more than this many times the time of a row at best gives way to another.
  double max_row_cost_ratio = 1.5;
};

// The defaults but for one constant: "horizon=1". nullopt if there is no such constant, or the value is out of range.
std::optional<AnybitOptions> WithOption(std::string_view assignment);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_OPTIONS_H_
