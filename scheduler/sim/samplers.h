// Random numbers that are equal on every machine: std::*_distribution may differ between standard libraries.
#ifndef ANYBIT_SCHEDULER_SIM_SAMPLERS_H_
#define ANYBIT_SCHEDULER_SIM_SAMPLERS_H_

#include <cmath>
#include <cstdint>
#include <random>

namespace anybit::sim {

// In [0, 1), in steps of 2^-53.
inline double UniformUnit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

// In [low, high]; low <= high. The modulo's bias is below (high - low) / 2^64.
inline int64_t UniformInt(std::mt19937_64& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % (static_cast<uint64_t>(high - low) + 1));
}

// With mean 1, by inversion.
inline double Exponential(std::mt19937_64& random) { return -std::log1p(-UniformUnit(random)); }

}  // namespace anybit::sim

#endif  // ANYBIT_SCHEDULER_SIM_SAMPLERS_H_
