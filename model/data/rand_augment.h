// RandAugment: several operations on a picture, drawn anew for each row, all of one magnitude (Cubuk et al.,
// "RandAugment: Practical automated data augmentation with a reduced search space", 2020).
//
// Operations and their ranges are torchvision's. The magnitude is on its scale of 0..30, where 9 is usual. All frames
// of a clip change alike: histograms and means are those of the whole clip.
#ifndef ANYBIT_MODEL_DATA_RAND_AUGMENT_H_
#define ANYBIT_MODEL_DATA_RAND_AUGMENT_H_

#include <cstdint>
#include <random>
#include <span>

#include "model/data/example_set.h"

namespace anybit::model {

inline constexpr double kMostMagnitude = 30;
inline constexpr int kMostOperations = 16;

struct RandAugment {
  int operations = 0;    // of each row, 1..kMostOperations; 0: none
  double magnitude = 0;  // 0..kMostMagnitude

  friend bool operator==(const RandAugment&, const RandAugment&) = default;
};

// At magnitude 0 all leave the picture as it is, except for the two without a magnitude: kAutoContrast and kEqualize.
// The comments give the effect of the highest magnitude. Pixels from outside the picture are 0.
enum class PictureOperation : uint8_t {
  kIdentity,
  kAutoContrast,  // each channel is stretched to 0..255
  kEqualize,      // each channel's histogram becomes flat
  kRotate,        // by 30 degrees, either way
  kSolarize,      // values from 256 (1 - magnitude / 30) up are inverted; at the highest all
  kColor,         // 0.1 or 1.9 times as far from grey; of pictures with three channels
  kPosterize,     // to 4 bits
  kContrast,      // 0.1 or 1.9 times as far from the mean
  kBrightness,    // 0.1 or 1.9 times as bright
  kSharpness,     // 0.1 or 1.9 times as far from the blurred picture
  kShearX,        // by 0.3 pixels per line, either way
  kShearY,        // by 0.3 pixels per column, either way
  kTranslateX,    // by 150 / 331 of the width, either way
  kTranslateY,    // by 150 / 331 of the height, either way
};
inline constexpr int kPictureOperations = 14;

// Changes `row`. `negative` chooses the second of the two ways, or the lower of the two factors.
void ApplyOperation(PictureOperation operation, double magnitude, bool negative, const ExampleShape& shape,
                    std::span<uint8_t> row);

// Draws operations and directions, all equally likely, and applies them.
void ApplyRandAugment(const RandAugment& setting, const ExampleShape& shape, std::mt19937_64& random,
                      std::span<uint8_t> row);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_RAND_AUGMENT_H_
