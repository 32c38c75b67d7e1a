// Random draws as a pure function of (seed, purpose, keys), where keys are a step, a point or a block.
//
// There is no generator state: a resumed run and the other processes of a group draw the same values.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_

#include <cstdint>
#include <initializer_list>

#include "base/random.h"

namespace anybit::model::train {

enum class Purpose : uint64_t { kTeacher = 1, kBlockSwap = 2 };

// 64 random bits.
inline uint64_t Draw(uint64_t seed, Purpose purpose, std::initializer_list<uint64_t> keys) {
  uint64_t state = MixSeed(seed, static_cast<uint64_t>(purpose));
  for (uint64_t key : keys) state = MixSeed(state, key);
  return state;
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_CHANCE_H_
