// Draws that are a function of what they are drawn for: (seed, purpose, step, point, block) and nothing else.
//
// Whoever resumes a run, or trains beside it in another process, draws the same.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_

#include <cstdint>
#include <initializer_list>

#include "model/data/sampling.h"

namespace anybit {

enum class Purpose : uint64_t { kTeacher = 1, kBlockSwap = 2 };

// 64 fair bits.
inline uint64_t Draw(uint64_t seed, Purpose purpose, std::initializer_list<uint64_t> keys) {
  uint64_t state = MixSeed(seed, static_cast<uint64_t>(purpose));
  for (uint64_t key : keys) state = MixSeed(state, key);
  return state;
}

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_
