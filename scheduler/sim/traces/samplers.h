// Random numbers that are equal on every machine: std::*_distribution may differ between standard libraries.
#ifndef ANYBIT_SCHEDULER_SIM_TRACES_SAMPLERS_H_
#define ANYBIT_SCHEDULER_SIM_TRACES_SAMPLERS_H_

#include <cmath>
#include <cstdint>
#include <numbers>
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

// With mean 0 and variance 1, by Box and Muller's transform; its second number is not kept, so that no draw depends on
// how many came before.
inline double Normal(std::mt19937_64& random) {
  const double radius = std::sqrt(2 * Exponential(random));
  return radius * std::cos(2 * std::numbers::pi * UniformUnit(random));
}

// With mean `shape` and variance `shape`; shape > 0. Marsaglia and Tsang, "A simple method for generating gamma
// variables" (2000): the cube of a normal variable, rejected rarely; below shape 1, gamma(shape + 1) * U^(1 / shape).
inline double Gamma(std::mt19937_64& random, double shape) {
  if (shape < 1) {
    const double u = 1 - UniformUnit(random);  // in (0, 1]
    return Gamma(random, shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = Normal(random);
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v <= 0) continue;
    if (-Exponential(random) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace anybit::sim

#endif  // ANYBIT_SCHEDULER_SIM_TRACES_SAMPLERS_H_
