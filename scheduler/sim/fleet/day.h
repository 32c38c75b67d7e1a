// The load of a day: its course as rates from minute to minute.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_DAY_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_DAY_H_

#include <span>
#include <vector>

#include "base/time.h"
#include "scheduler/sim/traces/arrivals.h"

namespace anybit::scheduler::sim {

// 1440 minutes, midnight to midnight, as a service of one region has them: a quarter of the peak at four, the peak at
// seven in the evening. Four crowds (3:30, 10:10, 15:20, 19:30) double the load at once, stay for five minutes and fall
// back exponentially with a time constant of five. `peak_per_second` is the highest rate without crowds.
std::vector<RatePhase> DayPhases(double peak_per_second);

// The course of recorded instants, a constant rate for each minute from MonoTime() on, with the given mean.
std::vector<RatePhase> RecordedPhases(std::span<const MonoTime> instants, double mean_per_second);

Duration LengthOf(std::span<const RatePhase> phases);

// Divided by `ratio`; of phases, all lengths.
Duration Shortened(Duration time, double ratio);
std::vector<RatePhase> Shortened(std::span<const RatePhase> phases, double ratio);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_DAY_H_
