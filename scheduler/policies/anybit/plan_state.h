// How far a decision has come: the plans made, the requests left, and when the slots will be free.
#ifndef ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLAN_STATE_H_
#define ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLAN_STATE_H_

#include <algorithm>
#include <span>

#include "scheduler/decision.h"
#include "scheduler/policies/anybit/outlook.h"
#include "scheduler/policies/anybit/slot_times.h"

namespace anybit::scheduler {

struct PlanState {
  PlanState(const Outlook& outlook, Decision& decision)
      : decision(decision),
        free(outlook.view().slots, outlook.view().now),
        uniform(outlook.view().waiting_special == 0 && !outlook.view().weights_vary && !outlook.has_aged()) {}

  Decision& decision;
  SlotTimes free;
  // The requests left are [begin, end of the queue), of one row each, with equal floors and weights. If false, plans
  // may have taken requests from `begin` on.
  bool uniform;
  int begin = 0;  // the first that is left

  bool IsTaken(int position) const {
    for (const Plan& plan : decision.plans) {
      const std::span<const int> members = decision.MembersOf(plan);  // ascending
      if (std::binary_search(members.begin(), members.end(), position)) return true;
    }
    return false;
  }
  // Moves `begin` to the next request that is left.
  void SkipTaken(int end) {
    if (uniform) return;
    while (begin < end && IsTaken(begin)) ++begin;
  }
  // Members of plans in [begin, end).
  int CountTaken(int end) const {
    if (uniform) return 0;
    int taken = 0;
    for (const Plan& plan : decision.plans) {
      for (const int member : decision.MembersOf(plan)) taken += member >= begin && member < end;
    }
    return taken;
  }
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_POLICIES_ANYBIT_PLAN_STATE_H_
