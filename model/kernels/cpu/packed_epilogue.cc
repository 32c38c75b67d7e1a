#include "model/kernels/cpu/packed_epilogue.h"

#include <algorithm>
#include <limits>

#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {

PackedEpilogue::PackedEpilogue(const ConvWeights& weights, bool relu, float factor)
    : scale_(BlocksFor(static_cast<int64_t>(weights.scale.size())) * kLanes),
      bias_(scale_.size()),
      residual_scale_(weights.residual_scale),
      highest_(static_cast<float>(weights.highest_output)),
      lowest_(relu ? 0 : -std::numeric_limits<float>::infinity()),
      bfloat16_(weights.bfloat16) {
  // The division is exact: a quantized layer's scales are 48 times a float of few bits (model/format/requantize.h).
  std::transform(weights.scale.begin(), weights.scale.end(), scale_.begin(), [&](float s) { return s / factor; });
  std::copy(weights.bias.begin(), weights.bias.end(), bias_.begin());
}

}  // namespace anybit::model
