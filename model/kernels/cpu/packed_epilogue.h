// The epilogue of one layer at one operating point, padded to whole blocks as kernels read it.
#ifndef ANYBIT_MODEL_KERNELS_CPU_PACKED_EPILOGUE_H_
#define ANYBIT_MODEL_KERNELS_CPU_PACKED_EPILOGUE_H_

#include <vector>

#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

class PackedEpilogue {
 public:
  // For sums that arrive `factor` times too large. Padded outputs compute code 0.
  PackedEpilogue(const ConvWeights& weights, bool relu, float factor);

  // The arrays from `block` on. Valid as long as this object.
  Epilogue view(int block) const {
    return {.scale = scale_.data() + block * kLanes,
            .bias = bias_.data() + block * kLanes,
            .residual_scale = residual_scale_,
            .highest = highest_,
            .lowest = lowest_,
            .bfloat16 = bfloat16_};
  }

 private:
  std::vector<float> scale_, bias_;
  float residual_scale_;
  float highest_;
  float lowest_;
  bool bfloat16_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_PACKED_EPILOGUE_H_
