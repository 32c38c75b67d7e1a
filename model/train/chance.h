// Draws that are a function of what they are drawn for: (seed, purpose, step, point, block) and nothing else.
//
// Whoever resumes a run, or trains beside it in another process, draws the same.
#ifndef ANYBIT_MODEL_TRAIN_CHANCE_H_
#define ANYBIT_MODEL_TRAIN_CHANCE_H_

#include <cstdint>
#include <initializer_list>

namespace anybit {

enum class Purpose : uint64_t { kTeacher = 1, kBlockSwap = 2 };

// 64 bits, each a fair coin. The mixing is splitmix64's (Steele, Lea and Flood, 2014), once per key.
constexpr uint64_t Draw(uint64_t seed, Purpose purpose, std::initializer_list<uint64_t> keys) {
  const auto mix = [](uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  };
  uint64_t state = mix(seed ^ mix(static_cast<uint64_t>(purpose)));
  for (uint64_t key : keys) state = mix(state ^ mix(key));
  return state;
}

// Uniform in [0, 1).
constexpr double Uniform(uint64_t draw) { return static_cast<double>(draw >> 11) * 0x1p-53; }

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_CHANCE_H_
