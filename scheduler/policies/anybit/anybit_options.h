// The constants of the anybit policy, each with the measurement that set it.
//
// "Utility" is the mean over simulated traces, as a share of the exact bound. In the study behind the policy that is
// .9959 over 630 traces (14 workloads, 9 loads, 5 pairs of profile and objective).
//
// "x0.5 .9946, x1 .9950, x2 .9961" is the utility with half of a constant, with all of it, and with twice as much. It
// is over 70 shorter traces, the mean of this command and of the same with cpu_1bit.json and 30ms:
//
//   anybit-simulate --sweep --profile scheduler/sim/profiles/cpu.json --objective 50ms --out DIR --requests 5000
//     --workload poisson,gamma4,bursty4,flash,mmpp,diurnal,azure --loads 0.5,0.8,1,1.2,2
//     --policy anybit,anybit:horizon=1,anybit:horizon=4
//
// No constant changes it by more than .004.
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
  // Batches simulated for one candidate. Queues that need more are judged by their rate at the end. x0.5 .9960, x1
  // .9950, x2 .9955.
  int max_lookahead_batches = 64;
  // Requests read when they differ in what they accept. A batch and those that it passes over are among them. An array
  // has this size; the number was not swept.
  static constexpr int kMaxScannedRequests = 256;
  // Different sets of accepted points told apart among them; a further set ends the scan. Not swept either.
  static constexpr int kMaxKinds = 32;
  // One request in this many of the scanned is checked for being late even at the cheapest points. In 30 traces where
  // half of the requests have a floor (--arrivals), utility is the same from 1 to 16.
  int late_check_interval = 8;

  // The look-ahead.

  // How far arrivals are foreseen, in objectives. Foreseeing none costs .014 of utility; knowing the true arrivals of
  // two objectives would gain .002. x0.5 .9946, x1 .9950, x2 .9961.
  double horizon = 2;
  // Later batches are assumed to take this share of the way from the next cheaper point's time to the candidate's own.
  // If the queue grows they will go down to the cheaper point, but then the candidate has not been worth much either.
  // Planning them at the fastest point instead costs .026 of utility. x0.5 .9947, x1 .9950, x2 .9948.
  double later_share = 0.4;
  // A candidate fails if the next cheaper point alone needs more than max_utilization of all time on the long average,
  // unless the rate of late is below busy_share of that average: free time is then an illusion. Both are worth less
  // than .0004 of utility on average, and 1 to 2 % of attainment at a load of 1. max_utilization: x0.5 .9911, x1 .9950,
  // x2 .9953. busy_share: x0.5 .9948, x1 .9950, x2 .9953.
  double max_utilization = 0.95;
  double busy_share = 0.8;

  // Requests without a deadline.

  // A batch of them takes at most this share of an objective, which is within the slack of most that arrive meanwhile;
  // without any objective, at most max_batch_without_objective, which people do not notice. In 30 traces where 30 % of
  // the requests have no deadline (--arrivals), their median wait is 327 ms with half of the share, 324 ms, and 321 ms
  // with twice the share; the utility of the others is the same.
  double share_of_objective = 0.25;
  Duration max_batch_without_objective = std::chrono::milliseconds(50);
  // Once they have waited for aging_threshold objectives they get aged_share of the rows of each batch. In the same
  // traces only half of the threshold changes anything: the wait becomes 320 ms, and the others lose .0006 of accuracy.
  double aging_threshold = 20;
  double aged_share = 0.25;

  // Overload.

  // A point of which only the profile is known is tried if it would be worth more than all others at this share of its
  // profiled time: beside other work, points were measured to differ by a third from a quiet machine. With two points
  // believed a third slower than they are, and noise (--point_ratios 1,1,1.33,1.33,1 --noise 0.1): x0.5 .9884, x1
  // .9911, x2 .9926.
  double hoped_time_share = 0.75;
  // The price of a trial is a batch that may earn a quarter less, so it has at most 1 / trial_divisor of the rows. With
  // the same wrong profile: x0.5 .9911, x1 .9911, x2 .9914.
  int trial_divisor = 4;
  // A batch of mixed requests whose rows take more than this many times the time of a row at best gives way to another.
  // In the 30 traces with floors: x0.5 .6598, x1 .6593, x2 .6598 of accuracy for each request.
  double max_row_cost_ratio = 1.5;
};

// The defaults but for one constant: "horizon=1". nullopt if there is no such constant, or the value is out of range.
std::optional<AnybitOptions> WithOption(std::string_view assignment);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_ANYBIT_OPTIONS_H_
