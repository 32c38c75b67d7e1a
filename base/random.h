// Chance with a seed: samplers over std::mt19937_64 that give equal numbers on every machine.
//
// The generator is the standard's, which fixes its sequence. The samplers are ours, because std::*_distribution may
// differ between standard libraries. Golden traces and trainings depend on each of these sequences, bit for bit.
#ifndef ANYBIT_BASE_RANDOM_H_
#define ANYBIT_BASE_RANDOM_H_

#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace anybit {

// The seed of stream `b` under seed `a`: each word in turn goes through the finaliser of splitmix64 (Steele, Lea and
// Flood, 2014).
inline uint64_t MixSeed(uint64_t a, uint64_t b) {
  uint64_t z = 0;
  for (uint64_t word : {a, b}) {
    z += word + 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
  }
  return z;
}

// 64 fair bits as a number: uniform in [0, 1), in steps of 2^-53.
constexpr double UnitOf(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

// Uniform in [0, 1), in steps of 2^-53.
inline double UniformUnit(std::mt19937_64& random) { return UnitOf(random()); }

// Uniform in [low, high).
inline double UniformIn(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * UniformUnit(random);
}

// Uniform in [low, high]; low <= high. The modulo's bias is below (high - low) / 2^64.
inline int64_t UniformInt(std::mt19937_64& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % (static_cast<uint64_t>(high - low) + 1));
}

// Exponential with mean 1, by inversion.
inline double Exponential(std::mt19937_64& random) { return -std::log1p(-UniformUnit(random)); }

// Normal with mean 0 and variance 1, by Box and Muller's transform. The transform's second number is dropped, so that
// no draw depends on how many came before.
inline double Normal(std::mt19937_64& random) {
  const double radius = std::sqrt(2 * Exponential(random));
  return radius * std::cos(2 * std::numbers::pi * UniformUnit(random));
}

// Normal with mean 0, also by Box and Muller, but from the midpoints of the steps of 2^-53. Its sequence differs from
// Normal()'s. Initial weights are drawn from it, and trainings must stay reproducible.
inline double NormalFromMidpoints(std::mt19937_64& random, double deviation) {
  const auto midpoint = [&random] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53; };
  // Drawn one after the other: the order of two calls in one expression is the compiler's.
  const double radius = std::sqrt(-2 * std::log(midpoint()));
  const double angle = 2 * std::numbers::pi * midpoint();
  return deviation * radius * std::cos(angle);
}

// Gamma with mean `shape` and variance `shape`; shape > 0. Marsaglia and Tsang, "A simple method for generating gamma
// variables" (2000): the cube of a normal variable, rarely rejected. Below shape 1: gamma(shape + 1) * U^(1 / shape).
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

// Beta(alpha, alpha), 0 < alpha <= 1, by Joehnk's rejection: at most two tries on average.
inline double SymmetricBeta(std::mt19937_64& random, double alpha) {
  while (true) {
    const double x = std::pow(UniformUnit(random), 1 / alpha), y = std::pow(UniformUnit(random), 1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

// A uniformly drawn order of 0..n-1 (Fisher and Yates).
inline std::vector<int64_t> RandomOrder(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[UniformInt(random, 0, i)]);
  return order;
}

}  // namespace anybit

#endif  // ANYBIT_BASE_RANDOM_H_
