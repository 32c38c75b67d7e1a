// Augmentation: changes of training rows that keep their labels, as data that a command line can express.
//
// The changes of a row are a function of its seed, and equal for all frames of a clip. Rows stay u8; pixels from
// outside the picture are 0. Mixup and CutMix, which need two rows, are only named here; the batch source applies them.
#ifndef ANYBIT_MODEL_DATA_AUGMENTATION_H_
#define ANYBIT_MODEL_DATA_AUGMENTATION_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/data/example_set.h"
#include "model/data/rand_augment.h"

namespace anybit::model {

// In the order in which a row is changed.
struct Augmentation {
  double crop = 0;      // least share of the picture, 0.01..1, that is enlarged to the whole (random_crop.h)
  int shift = 0;        // pixels: moved by -shift..shift down and across (random crop of the padded picture)
  bool mirror = false;  // horizontal flip of half of the rows
  double rotate = 0;    // degrees: turned by at most this, 0..45
  double scale = 0;     // larger or smaller by up to this share, 0..0.5
  RandAugment randaugment;
  int cutout = 0;    // pixels: side of a square of zeros, centred anywhere in the picture (DeVries and Taylor, 2017)
  double erase = 0;  // share of rows in which a rectangle becomes noise, 0..1: 2 to 33 % of the picture,
                     // proportions 0.3 to 3.3 (Zhong et al., "Random Erasing Data Augmentation", 2020)
  // Alpha of the Beta distribution of the shares of two mixed rows, 0.05..1; 0: none (Zhang et al., 2018).
  double mixup = 0;
  double cutmix = 0;  // likewise, of the shares of the area (Yun et al., 2019)

  friend bool operator==(const Augmentation&, const Augmentation&) = default;
};

// A comma-separated list like "crop=0.08,mirror,randaugment=2:9,cutmix=1" of the names above; "" and "none" are no
// augmentation. `randaugment` takes operations:magnitude. InvalidArgument naming word, value and limit.
absl::StatusOr<Augmentation> ParseAugmentation(absl::string_view text);

// The text that parses to `augmentation`, names in the order above; "none" where nothing is set.
std::string ToText(const Augmentation& augmentation);

// InvalidArgument if shift or cutout exceed the picture.
absl::Status CheckAugmentation(const Augmentation& augmentation, const ExampleShape& shape);

// Changes one row of `shape` in place.
void Augment(const Augmentation& augmentation, const ExampleShape& shape, uint64_t seed, std::span<uint8_t> row);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_AUGMENTATION_H_
