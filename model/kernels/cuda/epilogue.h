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

// The code of a sum of 32 or 64 bits; `residual` is read where `adds`.
template <class Sum>
ANYBIT_KERNEL uint8_t CodeFrom(Sum sum, float scale, float bias, float residual, float residual_scale, bool adds,
                               float highest) {
  float y = FusedMultiplyAdd(static_cast<float>(sum), scale, bias);
  if (adds) y = FusedMultiplyAdd(residual, residual_scale, y);
  y = y > 0 ? y : 0;
  return static_cast<uint8_t>(RoundToInt(y < highest ? y : highest));
}

template <class Sum>
ANYBIT_KERNEL uint8_t CodeOf(Sum sum, const Epilogue& epilogue, int64_t pixel, int o, int outputs) {
  const bool adds = epilogue.residual != nullptr && o < outputs;
  const float residual =
      adds ? static_cast<float>(static_cast<const uint8_t*>(epilogue.residual)[pixel * epilogue.residual_stored + o])
           : 0;
  return CodeFrom(sum, epilogue.scale[o], epilogue.bias[o], residual, epilogue.residual_scale, adds, epilogue.highest);
}

ANYBIT_KERNEL float FloatValue(float sum, const Epilogue& epilogue, int64_t pixel, int o, int outputs) {
  float y = Dequantized(sum, epilogue, o);
  if (epilogue.residual != nullptr && o < outputs) {
    const float added = static_cast<const float*>(epilogue.residual)[pixel * epilogue.residual_stored + o];
    y = FusedMultiplyAdd(added, epilogue.residual_scale, y);
  }
  y = y > 0 || !epilogue.relu ? y : 0;
  return RoundedIf(epilogue.bfloat16, y);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_EPILOGUE_H_
