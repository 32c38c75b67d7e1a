// Kernels with one thread for each item, for what imported networks have beside convolutions and pools: borders,
// activations, gates and convolutions of sums. Plain: each passes over whole maps.
//
// RunItem(call, item) computes item 0 <= item < Items(call); items do not depend on each other.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_MAP_BODIES_H_
#define ANYBIT_MODEL_KERNELS_CUDA_MAP_BODIES_H_

#include "model/kernels/cuda/activation.h"
#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/epilogue.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

// An item: a word.
ANYBIT_KERNEL int64_t Items(const PadCall& call) {
  return call.images * (call.height + 2 * call.padding) * (call.width + 2 * call.padding) * call.pixel_words;
}
ANYBIT_KERNEL void RunItem(const PadCall& call, int64_t item) {
  const int height = call.height + 2 * call.padding, width = call.width + 2 * call.padding;
  const int word = static_cast<int>(item % call.pixel_words);
  const int64_t pixel = item / call.pixel_words, image = pixel / (height * width);
  const int in_image = static_cast<int>(pixel % (height * width));
  const int y = in_image / width - call.padding, x = in_image % width - call.padding;
  const bool inside = y >= 0 && x >= 0 && y < call.height && x < call.width;
  call.out[item] =
      inside ? call.in[((image * call.height + y) * call.width + x) * call.pixel_words + word] : call.border[word];
}

// An item: four channels of a pixel, or of floats one.
ANYBIT_KERNEL int64_t Items(const ActivateCall& call) {
  return call.pixels * (call.stored / (call.table == nullptr ? 1 : 4));
}
ANYBIT_KERNEL void RunItem(const ActivateCall& call, int64_t item) {
  if (call.table == nullptr) {
    if (item % call.stored >= call.channels) return;
    float& value = static_cast<float*>(call.map)[item];
    value = RoundedIf(call.bfloat16, Activated(call.function, call.alpha, call.beta, value));
    return;
  }
  uint32_t& codes = static_cast<uint32_t*>(call.map)[item];
  const int first = static_cast<int>(item % (call.stored / 4)) * 4;
  uint32_t activated = 0;
  ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
    if (first + i < call.channels) activated |= uint32_t{call.table[codes >> (8 * i) & 255]} << (8 * i);
  }
  codes = activated;
}

// As RequantizeProduct of model/format/requantize.h: the product is exact, so that the sum is rounded once.
ANYBIT_KERNEL uint32_t GatedCode(const GateCall& call, int code, int factor) {
  const int product = (code - call.in_zero) * (factor - call.factor_zero);
  const double y = static_cast<double>(product) * static_cast<double>(call.scale) + call.out_zero;
  const double highest = call.highest;
  return static_cast<uint32_t>(RoundToInt(y < 0 ? 0 : y < highest ? y : highest));
}

// As above.
ANYBIT_KERNEL int64_t Items(const GateCall& call) {
  return call.images * call.pixels * (call.stored / (call.floats ? 1 : 4));
}
ANYBIT_KERNEL void RunItem(const GateCall& call, int64_t item) {
  const int64_t words = call.stored / (call.floats ? 1 : 4);
  const int word = static_cast<int>(item % words);
  const int64_t image = item / words / call.pixels;
  if (call.floats) {
    const float factor =
        word < call.channels ? static_cast<const float*>(call.factors)[image * call.factors_stored + word] : 0;
    static_cast<float*>(call.out)[item] = RoundedIf(call.bfloat16, static_cast<const float*>(call.in)[item] * factor);
    return;
  }
  const uint32_t codes = static_cast<const uint32_t*>(call.in)[item];
  const auto* factors = static_cast<const uint8_t*>(call.factors) + image * call.factors_stored + word * 4;
  uint32_t gated = 0;
  ANYBIT_UNROLL for (int i = 0; i < 4; ++i) {
    if (word * 4 + i < call.channels) {
      gated |= GatedCode(call, static_cast<int>(codes >> (8 * i) & 255), factors[i]) << (8 * i);
    }
  }
  static_cast<uint32_t*>(call.out)[item] = gated;
}

// An item: an output. Wide sums are exact.
ANYBIT_KERNEL int64_t Items(const SumsConvCall& call) { return call.rows * call.out_stored; }
ANYBIT_KERNEL void RunItem(const SumsConvCall& call, int64_t item) {
  const int64_t row = item / call.out_stored;
  const int output = static_cast<int>(item % call.out_stored);
  const int64_t depth = output < call.outputs ? call.depth : 0;
  const int64_t first = row * call.depth, first_weight = output * call.depth;
  if (call.floats) {
    float sum = 0;
    for (int64_t d = 0; d < depth; ++d) {
      const float weight = static_cast<const float*>(call.weights)[first_weight + d];
      sum = FusedMultiplyAdd(static_cast<const float*>(call.in)[first + d], RoundedIf(call.epilogue.bfloat16, weight),
                             sum);
    }
    static_cast<float*>(call.out)[item] = FloatValue(sum, call.epilogue, row, output, call.outputs);
    return;
  }
  int64_t sum = 0;
  for (int64_t d = 0; d < depth; ++d) {
    sum += int64_t{static_cast<const int32_t*>(call.in)[first + d]} *
           static_cast<const int8_t*>(call.weights)[first_weight + d];
  }
  static_cast<uint8_t*>(call.out)[item] = CodeOf(sum, call.epilogue, row, output, call.outputs);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_MAP_BODIES_H_
