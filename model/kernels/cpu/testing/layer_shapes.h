// Layers for tests of this processor's kernels: algorithms, and maps in memory.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TESTING_LAYER_SHAPES_H_
#define ANYBIT_MODEL_KERNELS_CPU_TESTING_LAYER_SHAPES_H_

#include <cstdint>
#include <variant>

#include "model/format/network_spec.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/pack_conv.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/feature_map.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model {

using Shape = ConvShape;
inline constexpr auto& kShapes = kConvShapes;

inline FeatureMap MapOf(const FeatureShape& shape, Border border, bool pad_channels) {
  return {.height = shape.height,
          .width = shape.width,
          .channels = shape.channels,
          .stored_channels = pad_channels ? PaddedChannels(shape.channels) : shape.channels,
          .before = border.before,
          .after = border.after};
}

// Maps in memory, with the padding that Run needs.
template <class T>
struct Images {
  Images(const FeatureMap& map, int64_t count) : map(map), memory((count * map.image_stride() + 64) * sizeof(T)) {}

  T& at(int64_t image, int64_t y, int64_t x, int64_t c) {
    return memory.as<T>()[image * map.image_stride() + map.at(y, x) + c];
  }

  FeatureMap map;
  AlignedBuffer memory;
};

// Whether it computes full precision, and those layers only.
inline bool ForFloats(const ConvAlgorithm& algorithm) {
  return algorithm == ConvAlgorithm(DirectConvolution{Operand::kFloats}) ||
         algorithm == ConvAlgorithm(DirectConvolution{Operand::kBfloats}) ||
         std::holds_alternative<FloatTileConvolution>(algorithm);
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TESTING_LAYER_SHAPES_H_
