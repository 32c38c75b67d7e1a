// The most that a request can earn for slot time of its own, whatever batches it takes part in.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_EARNINGS_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_EARNINGS_H_

#include <vector>

#include "scheduler/latency/profile.h"
#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim::bound {

// Some utility for some slot time.
struct Segment {
  double work = 0;
  double slope = 0;
  double accuracy = 0;  // at its end
};

// A concave function of slot time, as segments of falling slope.
using Earnings = std::vector<Segment>;

// Of each window, in their order. Windows are by arrival.
//
// At p a request takes at least least(p, k) / k, where k is the number of members. They all arrived by its deadline
// less the latency, and have deadlines after its arrival plus the latency: that limits k.
std::vector<Earnings> EarningsOf(const Profile& profile, const std::vector<Window>& windows);

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_EARNINGS_H_
