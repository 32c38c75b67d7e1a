// A random part of the picture, enlarged to the whole: the augmentation of Inception and of most trainings on ImageNet
// (Szegedy et al., "Going Deeper with Convolutions", 2015), as torchvision's RandomResizedCrop draws it.
#ifndef ANYBIT_MODEL_DATA_RANDOM_CROP_H_
#define ANYBIT_MODEL_DATA_RANDOM_CROP_H_

#include <cstdint>
#include <random>
#include <span>

#include "model/data/example_set.h"
#include "model/data/pixel_box.h"

namespace anybit::model {

inline constexpr double kCropAspect = 4.0 / 3;  // the widest; the narrowest is its inverse

// A part with `least`..1 of the area, and width / height in 3/4..4/3, uniform in the logarithm. Extents are rounded to
// pixels. A part that does not fit is drawn again; after ten of them the largest one in the middle is taken.
PixelBox DrawCrop(double least, const ExampleShape& shape, std::mt19937_64& random);

// Enlarges the part `box` of every frame of `row` to the whole frame, bilinearly.
void EnlargeCrop(const PixelBox& box, const ExampleShape& shape, std::span<uint8_t> row);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_RANDOM_CROP_H_
