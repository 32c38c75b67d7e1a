#include "model/train/convert/weight_order.h"

namespace anybit::model::train {

WeightOrder OrderOf(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return {node.in.channels, node.in.height * node.in.width};
  const int64_t area = int64_t{node.kernel} * node.kernel;
  return {node.depth / area, area};
}

std::vector<int64_t> FileShape(const PlannedNode& node) {
  if (node.kind == NodeKind::kLinear) return {node.out.channels, node.depth};
  const WeightOrder order = OrderOf(node);
  return {node.out.channels, order.channels, node.kernel, node.kernel};
}

std::vector<float> Transposed(std::span<const float> values, int64_t rows, int64_t columns) {
  std::vector<float> out(values.size());
  const int64_t size = rows * columns, outputs = size == 0 ? 0 : static_cast<int64_t>(values.size()) / size;
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) out[o * size + c * rows + r] = values[o * size + r * columns + c];
    }
  }
  return out;
}

}  // namespace anybit::model::train
