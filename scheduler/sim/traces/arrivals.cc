#include "scheduler/sim/traces/arrivals.h"

#include <algorithm>
#include <random>

#include "base/random.h"

namespace anybit::scheduler::sim {

std::vector<MonoTime> PoissonArrivals(std::span<const RatePhase> phases, MonoTime start, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<MonoTime> arrivals;
  for (const RatePhase& phase : phases) {
    // Thinning: candidates at the phase's highest rate, each kept with probability rate(t) / highest.
    const double highest = std::max(phase.from_per_second, phase.to_per_second);
    const double length = ToSeconds(phase.length);
    if (highest > 0) {
      for (double t = Exponential(random) / highest; t < length; t += Exponential(random) / highest) {
        const double rate = phase.from_per_second + (phase.to_per_second - phase.from_per_second) * (t / length);
        if (UniformUnit(random) * highest >= rate) continue;
        arrivals.push_back(start + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t)));
      }
    }
    start += phase.length;
  }
  return arrivals;
}

}  // namespace anybit::scheduler::sim
