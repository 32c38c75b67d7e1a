// Whether everything else can be in time if a candidate runs now: the slots are run on with the queue and the expected
// arrivals. Pure: it reads values and answers.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_LOOK_AHEAD_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_LOOK_AHEAD_H_

#include <algorithm>
#include <cstddef>
#include <span>

#include "scheduler/latency/point_ranking.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/slot_times.h"

namespace anybit::scheduler {

// The share of waiting requests that do not accept every point, and the cheapest point that they run at.
struct FloorsShare {
  double share = 0;
  const RankedPoint* point = nullptr;  // not null if share > 0
};

// How long later batches take: between the candidate's point and the next cheaper one (AnybitOptions::later_share);
// requests with floors take their share of it.
class LaterBatches {
 public:
  LaterBatches(const Outlook& outlook, const RankedPoint& own, const RankedPoint& cheaper, const FloorsShare& floors)
      : outlook_(outlook), own_(own), cheaper_(cheaper), floors_(floors) {}

  double Predict(int rows) const {
    return Between(outlook_.Predict(own_, rows), outlook_.Predict(cheaper_, rows),
                   floors_.share > 0 ? outlook_.Predict(*floors_.point, rows) : 0);
  }
  double Typical(int rows) const {
    return Between(outlook_.Typical(own_, rows), outlook_.Typical(cheaper_, rows),
                   floors_.share > 0 ? outlook_.Typical(*floors_.point, rows) : 0);
  }
  // Of a row in the best batches.
  double Cost() const {
    return outlook_.TypicalCost(Between(own_.cost, cheaper_.cost, floors_.share > 0 ? floors_.point->cost : 0));
  }
  // The largest efficient size of up to `rows`.
  int Efficient(int rows) const { return own_.efficient[static_cast<size_t>(rows)]; }

 private:
  double Between(double own, double cheaper, double with_floor) const {
    const double later = cheaper + outlook_.options().later_share * (own - cheaper);
    return floors_.share > 0 ? later + floors_.share * std::max(0.0, with_floor - later) : later;
  }

  const Outlook& outlook_;
  const RankedPoint& own_;
  const RankedPoint& cheaper_;
  const FloorsShare& floors_;
};

// The requests with a deadline that are left once a candidate runs, most urgent first.
struct RemainingQueue {
  std::span<const int> passed_over;  // positions before the candidate's last member
  int next = 0;                      // the position behind it
  int last = 0;                      // the last position with a deadline
  int count = 0;                     // may be below 0 if the candidate has members without a deadline
  double rows_each = 1;              // on average

  double Slack(const Outlook& outlook, int index) const {
    const int passed = static_cast<int>(passed_over.size());
    if (index < passed) return outlook.Slack(passed_over[static_cast<size_t>(index)]);
    return outlook.Slack(std::min(next + index - passed, last));
  }
  double rows() const { return std::max(count, 0) * rows_each; }
};

// Whether everything in the queue and all expected arrivals can be in time, if a candidate of `batch_rows` runs.
// `free`: when each slot is free then; it is run on, and worthless afterwards. `margin`: how many standard deviations
// arrivals may exceed the forecast.
bool AllInTime(const Outlook& outlook, const LaterBatches& later, const RemainingQueue& queue, SlotTimes& free,
               double margin, int batch_rows);

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_LOOK_AHEAD_H_
