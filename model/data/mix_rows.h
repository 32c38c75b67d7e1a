// Mixed pairs of rows, whose labels count by their shares: mixup (Zhang et al., "mixup: Beyond Empirical Risk
// Minimization", 2018), which blends the pictures, and CutMix (Yun et al., "CutMix: Regularization Strategy to Train
// Strong Classifiers with Localizable Features", 2019), which exchanges a rectangle.
#ifndef ANYBIT_MODEL_DATA_MIX_ROWS_H_
#define ANYBIT_MODEL_DATA_MIX_ROWS_H_

#include <cstdint>
#include <random>
#include <span>

#include "model/data/augmentation.h"
#include "model/data/example_set.h"
#include "model/data/pixel_box.h"

namespace anybit::model {

// Whether `augmentation` mixes rows.
bool MixesRows(const Augmentation& augmentation);

// Mixes each row of `images` at an even place with the next one, by one draw for all pairs; their number is even. With
// mixup and cutmix, either is as likely. Returns the share of a row's own label; that of its partner's has the rest.
double MixPairs(const Augmentation& augmentation, const ExampleShape& shape, uint64_t seed, std::span<uint8_t> images);

// A rectangle of the picture's proportions with 1 - `share` of its area, around a pixel anywhere in the picture, and
// clipped to the picture.
PixelBox DrawExchanged(double share, const ExampleShape& shape, std::mt19937_64& random);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_MIX_ROWS_H_
