#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/cpu/packed_tiles.h"
#include "model/kernels/cpu/testing/modelled_amx.h"
#include "model/kernels/cpu/testing/tile_model.h"

namespace anybit::model {
namespace {

using Tiles = ModelledTiles;

template <int kBlocks, bool kResidual>
class TileFinish {
 public:
  explicit TileFinish(const Epilogue& e) : epilogue_(e) {}

  void StayInRegisters() {}

  void operator()(const int32_t* sums, const uint8_t* const* residuals, uint8_t* const* outputs, int64_t lane) const {
    constexpr int kPixelCodes = kBlocks * kLanes;
    for (int i = 0; i < 4 * kLanes; ++i) {
      const int pixel = i / kPixelCodes, at = i % kPixelCodes;
      float y = Dequantize(sums[i], epilogue_.scale[at], epilogue_.bias[at]);
      if constexpr (kResidual) {
        y = std::fma(static_cast<float>(residuals[pixel][lane + at]), epilogue_.residual_scale, y);
      }
      outputs[pixel][lane + at] = static_cast<uint8_t>(RoundClamped(y, epilogue_.highest));
    }
  }

 private:
  const Epilogue epilogue_;
};

template <int kBlocks, bool kResidual>
class TileFinishFloats {
 public:
  explicit TileFinishFloats(const Epilogue& e) : epilogue_(e) {}

  void StayInRegisters() {}

  void operator()(const int32_t* sums, const uint8_t* const* residuals, uint8_t* const* outputs, int64_t lane) const {
    constexpr int kPixelValues = kBlocks * kLanes;
    for (int i = 0; i < 4 * kLanes; ++i) {
      const int pixel = i / kPixelValues, at = i % kPixelValues;
      float sum;
      std::memcpy(&sum, sums + i, sizeof(sum));
      float y = std::fma(sum, epilogue_.scale[at], epilogue_.bias[at]);
      if constexpr (kResidual) {
        y = std::fma(reinterpret_cast<const float*>(residuals[pixel])[lane + at], epilogue_.residual_scale, y);
      }
      y = std::max(y, epilogue_.lowest);
      reinterpret_cast<float*>(outputs[pixel])[lane + at] = epilogue_.bfloat16 ? RoundToBfloat16(y) : y;
    }
  }

 private:
  const Epilogue epilogue_;
};

template <int kBits>
void ExpandTile(const uint8_t* packed, uint8_t* bytes) {
  const auto field = [&](const uint8_t* lines, int width, int row, int at) {
    const int rows = 8 / width;
    return lines[row / rows * kTileStepBytes + at] >> row % rows * width & ((1 << width) - 1);
  };
  for (int row = 0; row < kTilePixels; ++row) {
    for (int at = 0; at < kTileStepBytes; ++at) {
      int weight = 0;
      if constexpr (kBits == 1) {
        weight = field(packed, 1, row, at) != 0 ? -1 : 1;
      } else if constexpr (kBits == 3) {
        weight = field(packed, 2, row, at) - 4 * field(packed + PackedTileBytes(2), 1, row, at);
      } else {
        weight = field(packed, kBits, row, at);
        if (weight >= 1 << (kBits - 1)) weight -= 1 << kBits;
      }
      bytes[row * kTileStepBytes + at] = static_cast<uint8_t>(weight);
    }
  }
}

#include "model/kernels/cpu/tile_kernels.inc"

}  // namespace

KernelTable ModelledPortableAmxKernels(const KernelTable& vectors) { return WithTiles(vectors, "amx_model_portable"); }

}  // namespace anybit::model
