#include "model/import/float_layers.h"

namespace anybit::model {

int64_t FloatLayer::depth() const {
  if (kind == NodeKind::kLinear) return in.elements();
  if (kind != NodeKind::kConv) return 0;
  return int64_t{kernel} * kernel * (depthwise ? 1 : in.channels);
}

}  // namespace anybit::model
