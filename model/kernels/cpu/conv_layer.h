// One convolution of a network at one operating point, packed for one algorithm of one kernel table.
//
// pack_conv.h makes one. Every algorithm gives the same codes, so callers may choose by speed alone.
#ifndef ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_
#define ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_

#include <cstdint>
#include <span>

#include "model/kernels/feature_map.h"

namespace anybit::model {

// The weights and the epilogue of one layer at one point.
struct ConvWeights {
  std::span<const int16_t> codes;      // [out][kernel][kernel][channels]; empty at full precision
  std::span<const float> floats;       // the same shape, at full precision only
  bool bfloat16 = false;               // floats, and values of all maps, are bfloat16 numbers (model/format/bfloat16.h)
  bool signs = false;                  // codes are -1 and +1
  int highest_input = 255;             // largest code of the input
  std::span<const float> scale, bias;  // [out]
  float residual_scale = 0;
  int highest_output = 0;  // largest code of the output
};

// The maps that a conv node reads and writes.
struct ConvMaps {
  FeatureMap in, residual, out;
};

// Some rows of a layer's output. Memory may hold only some rows of a map: its row number `..._base` then lies where row
// 0 of the whole map would.
struct RowRange {
  int64_t first = 0;
  int64_t count = -1;  // -1: all
  int64_t in_base = 0, residual_base = 0, out_base = 0;

  // Of a map of `height` rows.
  int64_t CountOf(int64_t height) const { return count < 0 ? height : count; }
};

// The operands of one call. Images of a map lie image_stride() elements apart. Elements are codes, or floats at full
// precision.
struct ConvImages {
  const void* in;
  const void* residual;  // or null
  void* out;
  int64_t count;       // 1 where `rows` are not all
  RowRange rows = {};  // all, unless the layer TakesRows
};

class ConvLayer {
 public:
  virtual ~ConvLayer() = default;

  // Bytes of the panel, and of the workspace that Run needs (64-byte aligned; any contents).
  virtual int64_t panel_bytes() const = 0;
  virtual int64_t workspace_bytes() const = 0;

  // Whether Run can compute some rows of an image.
  virtual bool TakesRows() const { return false; }

  // Any thread, each with its own workspace, within a TileScope of the layer's table. Allocates nothing.
  virtual void Run(const ConvImages& images, uint8_t* workspace) const = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_CONV_LAYER_H_
