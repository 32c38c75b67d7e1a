// When requests arrive, open loop: a Poisson process whose rate is constant, steps or ramps.
#ifndef ANYBIT_SCHEDULER_SIM_TRACES_ARRIVALS_H_
#define ANYBIT_SCHEDULER_SIM_TRACES_ARRIVALS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace anybit::scheduler::sim {

// The rate goes linearly from one value to the other over `length`; equal values are a step to a constant rate.
struct RatePhase {
  Duration length{};
  double from_per_second = 0;
  double to_per_second = 0;
};

// Ascending instants from `start` on, over all phases in turn. Equal arguments give equal instants.
std::vector<MonoTime> PoissonArrivals(std::span<const RatePhase> phases, MonoTime start, uint64_t seed);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_ARRIVALS_H_
