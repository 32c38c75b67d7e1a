// The nodes of squeeze-excite, and what follows the values of a node.
#include <algorithm>
#include <span>
#include <vector>

#include "model/engine/interpreter.h"
#include "model/engine/sum_digits.h"
#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"
#include "model/kernels/cpu/map_passes.h"

namespace anybit::model {

template <class T>
void Interpreter::Finish(const PlannedNode& node, int index, const Rows& rows, const Part& part,
                         InterpreterMemory& memory) const {
  const FeatureMap& map = activations_.maps[index];
  const std::vector<uint8_t>& border = rows.panels->borders[index];
  T* image = Buffer<T>(memory, activations_.buffers[index]) + part.first * node.frames * map.image_stride();
  for (int64_t i = 0; i < part.count * node.frames; ++i, image += map.image_stride()) {
    if constexpr (sizeof(T) == 1) {
      if (node.activation.is_tabled()) {
        LookUpCodes(map, rows.panels->layers[node.layer].epilogue->table.data(), image);
      }
      if (!border.empty()) FillBorder<T>(map, border, image);
    } else {
      const bool activates = !node.activation.is_none();
      if (activates) ActivateFloats(map, node.activation, image);
      // A convolution has rounded its values before the activation.
      if (rows.panels->bfloat16 && (activates || node.kind == NodeKind::kGate)) {
        EachRun(map, image,
                [](float* values, int64_t count) { std::transform(values, values + count, values, RoundToBfloat16); });
      }
    }
  }
}

template <class T>
void Interpreter::RunConvOfSums(const PlannedNode& node, int index, const Rows& rows, const Part& part,
                                InterpreterMemory& memory) const {
  const LayerPanels& layer = rows.panels->layers[node.layer];
  const LayerEpilogue& epilogue = *layer.epilogue;
  const int source = plan_.SourceOf(node);
  const FeatureMap &from = activations_.map(source), &to = activations_.maps[index];
  for (int64_t row = part.first; row < part.first + part.count; ++row) {
    const T* image = Values<T>(memory, source) + row * from.image_stride();
    T* out = Buffer<T>(memory, activations_.buffers[index]) + row * to.image_stride() + to.at(0, 0);
    if constexpr (sizeof(T) == 1) {
      GatherSums(plan_.PoolReadBy(node), from, image, memory.pool_sums);
      int16_t* words = memory.pool_words.data();
      const int digits = SplitSums(std::span(memory.pool_sums).first(node.depth), words);
      const int highest = epilogue.highest_of_sums();
      for (int64_t o = 0; o < node.out.channels; ++o) {
        const int64_t sum = SumOf(layer, node.depth, o, words, digits);
        out[o] = Requantize(sum, epilogue.scale[o], epilogue.bias[o], highest);
      }
    } else {
      const std::span<float> sums = std::span(memory.float_sums).first(memory.pool_sums.size());
      GatherSums(plan_.PoolReadBy(node), from, image, sums);
      if (rows.panels->bfloat16) std::transform(sums.begin(), sums.end(), sums.begin(), RoundToBfloat16);
      for (int64_t o = 0; o < node.out.channels; ++o) {
        const float sum = kernels_.dot_floats(sums.data(), layer.floats.data() + o * node.depth, node.depth);
        const float y = sum * epilogue.scale[o] + epilogue.bias[o];
        const float value = node.relu ? std::max(y, 0.0f) : y;
        out[o] = rows.panels->bfloat16 ? RoundToBfloat16(value) : value;
      }
    }
  }
}

template <class T>
void Interpreter::RunGate(const PlannedNode& node, int index, const Rows& rows, const Part& part,
                          InterpreterMemory& memory) const {
  const FeatureMap &from = activations_.map(node.input), &to = activations_.maps[index];
  const FeatureMap& gate = activations_.map(node.residual);
  for (int64_t row = part.first; row < part.first + part.count; ++row) {
    const T* in = Values<T>(memory, node.input) + row * from.image_stride();
    const T* gates = Values<T>(memory, node.residual) + row * gate.image_stride() + gate.at(0, 0);
    T* out = Buffer<T>(memory, activations_.buffers[index]) + row * to.image_stride();
    if constexpr (sizeof(T) == 1) {
      const ArtifactPoint& point = *rows.panels->point;
      const GateEpilogue& epilogue = point.gates[node.gate];
      const int64_t zero = ZeroCodeOf(plan_, point, node.residual);
      const std::span<double> factors = std::span(memory.gate_factors).first(node.out.channels);
      for (size_t c = 0; c < factors.size(); ++c) {
        factors[c] = static_cast<double>(gates[c] - zero) * static_cast<double>(epilogue.scale);
      }
      GateCodes({.in = from,
                 .out = to,
                 .factors = factors,
                 .in_zero = static_cast<int>(ZeroCodeOf(plan_, point, node.input)),
                 .out_zero = epilogue.zero_code,
                 .highest = epilogue.highest_code},
                in, out);
    } else {
      GateFloats(from, to, gates, in, out);
    }
  }
}

int64_t Interpreter::SumOf(const LayerPanels& layer, int64_t depth, int64_t output, const int16_t* digits,
                           int count) const {
  int64_t sum = 0;
  for (int digit = 0; digit < count; ++digit) {
    sum += kernels_.dot(digits + digit * depth, layer.codes.data() + output * depth, depth) *
           (int64_t{1} << kDigitBits * digit);
  }
  return sum;
}

#define ANYBIT_INSTANTIATE(T)                                                                                        \
  template void Interpreter::Finish<T>(const PlannedNode&, int, const Rows&, const Part&, InterpreterMemory&) const; \
  template void Interpreter::RunConvOfSums<T>(const PlannedNode&, int, const Rows&, const Part&, InterpreterMemory&) \
      const;                                                                                                         \
  template void Interpreter::RunGate<T>(const PlannedNode&, int, const Rows&, const Part&, InterpreterMemory&) const;
ANYBIT_INSTANTIATE(uint8_t)
ANYBIT_INSTANTIATE(float)
#undef ANYBIT_INSTANTIATE

}  // namespace anybit::model
