// The requantization of model/format/requantize.h as kernels compute it: the same operations in the same order.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_EPILOGUE_H_
#define ANYBIT_MODEL_KERNELS_CUDA_EPILOGUE_H_

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

// Of output `o` at `pixel`, without or with the residual.
ANYBIT_KERNEL float Dequantized(float sum, const Epilogue& epilogue, int o) {
  return FusedMultiplyAdd(sum, epilogue.scale[o], epilogue.bias[o]);
}

ANYBIT_KERNEL uint8_t CodeOf(int32_t sum, const Epilogue& epilogue, int64_t pixel, int o, int outputs) {
  float y = Dequantized(static_cast<float>(sum), epilogue, o);
  if (epilogue.residual != nullptr && o < outputs) {
    const uint8_t code = static_cast<const uint8_t*>(epilogue.residual)[pixel * epilogue.residual_stored + o];
    y = FusedMultiplyAdd(static_cast<float>(code), epilogue.residual_scale, y);
  }
  y = y > 0 ? y : 0;
  return static_cast<uint8_t>(RoundToInt(y < epilogue.highest ? y : epilogue.highest));
}

ANYBIT_KERNEL float FloatValue(float sum, const Epilogue& epilogue, int64_t pixel, int o, int outputs) {
  float y = Dequantized(sum, epilogue, o);
  if (epilogue.residual != nullptr && o < outputs) {
    const float added = static_cast<const float*>(epilogue.residual)[pixel * epilogue.residual_stored + o];
    y = FusedMultiplyAdd(added, epilogue.residual_scale, y);
  }
  return y > 0 || !epilogue.relu ? y : 0;
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_EPILOGUE_H_
