// The layout of an activation tensor: NHWC with a border, of zeros as a rule, and padded channels.
#ifndef ANYBIT_MODEL_KERNELS_FEATURE_MAP_H_
#define ANYBIT_MODEL_KERNELS_FEATURE_MAP_H_

#include <cstdint>

#include "model/format/network_spec.h"

namespace anybit::model {

// In elements of any type. Padded channels hold zeros and are never written, nor is the border unless it stands for
// another code.
struct FeatureMap {
  int64_t height = 0, width = 0, channels = 0;  // of the tensor
  int64_t stored_channels = 0;                  // from pixel to pixel
  int64_t before = 0, after = 0;                // border rows and columns, above and left, below and right

  int64_t row_stride() const { return (width + before + after) * stored_channels; }
  int64_t image_stride() const { return (height + before + after) * row_stride(); }
  int64_t at(int64_t y, int64_t x) const { return (y + before) * row_stride() + (x + before) * stored_channels; }
  friend bool operator==(const FeatureMap&, const FeatureMap&) = default;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_FEATURE_MAP_H_
