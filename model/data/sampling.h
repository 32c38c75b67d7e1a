// Chance for data: seeds that do not meet, and samplers that give the same values with every standard library.
#ifndef ANYBIT_MODEL_DATA_SAMPLING_H_
#define ANYBIT_MODEL_DATA_SAMPLING_H_

#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace anybit {

// A seed for what `b` numbers below `a`: each in turn through the finaliser of splitmix64 (Steele, Lea and Flood,
// 2014).
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

// 64 fair bits as a number, uniform in [0, 1).
constexpr double UnitOf(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

// Uniform in [0, 1).
inline double UniformUnit(std::mt19937_64& random) { return UnitOf(random()); }

// Uniform in [low, high).
inline double UniformIn(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * UniformUnit(random);
}

// Uniform in [low, high]; the modulo's bias is below (high - low) / 2^64.
inline int64_t UniformInt(std::mt19937_64& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
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

#endif  // ANYBIT_MODEL_DATA_SAMPLING_H_
