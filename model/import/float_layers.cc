#include "model/import/float_layers.h"

#include <algorithm>

namespace anybit::model {

int64_t FloatLayer::depth() const {
  if (kind == NodeKind::kLinear) return in.elements();
  if (kind != NodeKind::kConv) return 0;
  return int64_t{kernel} * kernel * (depthwise ? 1 : in.channels);
}

bool FloatLayer::is_choice() const {
  if (kind != NodeKind::kConv || choice.empty() || static_cast<int64_t>(choice.size()) != out.channels) return false;
  const auto all = [](const std::vector<double>& values, double wanted) {
    return std::all_of(values.begin(), values.end(), [=](double v) { return v == wanted; });
  };
  return residual == kNoLayer && activation.is_none() && all(scale, 1) && all(bias, 0);
}

}  // namespace anybit::model
