// What a slot can have earned by when: states that no other beats, and how to keep few of them.
#ifndef ANYBIT_SCHEDULER_SIM_BOUND_FRONT_H_
#define ANYBIT_SCHEDULER_SIM_BOUND_FRONT_H_

#include <cstddef>
#include <vector>

#include "scheduler/sim/bound/problem.h"

namespace anybit::scheduler::sim::bound {

// The slot is free at `time`, having earned `gain`.
struct State {
  Time time = 0;
  Gain gain = 0;
};
// Both members strictly ascending.
using Front = std::vector<State>;
// [i]: the first i requests are decided.
using Fronts = std::vector<Front>;

// Forgets the states that cannot exceed `attained`. `rest` is a front of the reversed problem: the gain of
// the remaining requests, by the negated latest instant to start from.
void ForgetHopeless(const Front& rest, Gain attained, Front& front);

// Keeps `count` states, 2 or more: the most promising, or without a guide every so many.
void KeepPromising(const Front* guide, size_t count, Front& front);

// Replaces neighbours by one state that is better than all of them, until `count` are left. It has the earliest time
// and the greatest gain of its group, and errs by the gain the group spans: the least with few enough groups.
void RaiseNeighbours(size_t count, Front& front);

// What is worth keeping of both, at `from` at the earliest.
Front Merged(const Front& a, const Front& b, Time from);

}  // namespace anybit::scheduler::sim::bound

#endif  // ANYBIT_SCHEDULER_SIM_BOUND_FRONT_H_
