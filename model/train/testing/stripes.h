// A synthetic data set that a small network learns in seconds.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_STRIPES_H_
#define ANYBIT_MODEL_TRAIN_TESTING_STRIPES_H_

#include <random>

#include "model/arch/basic_block_network.h"
#include "model/data/example_set.h"

namespace anybit::model::train {

// Four classes that shifts and mirroring preserve: horizontal or vertical stripes, fine or coarse, with noise.
inline MemoryExamples Stripes(int64_t count, uint64_t seed, int side = 16) {
  std::mt19937_64 random(seed);
  std::vector<uint16_t> labels;
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(random() % 4);
    labels.push_back(static_cast<uint16_t>(label));
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const int along = label % 2 == 0 ? x : y;
        const bool bright = along / (label < 2 ? 2 : 4) % 2 == 0;
        pixels.push_back(static_cast<uint8_t>((bright ? 150 : 50) + random() % 60));
      }
    }
  }
  return MemoryExamples({.height = side, .width = side}, std::move(labels), std::move(pixels));
}

inline NetworkSpec StripesNetwork() {
  return BasicBlockNetwork({.name = "small", .side = 16, .stages = {8, 16}, .classes = 4});
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_STRIPES_H_
