// The panels of one operating point: kernel-shaped copies of the weights of all its layers.
#ifndef ANYBIT_MODEL_ENGINE_POINT_PANELS_H_
#define ANYBIT_MODEL_ENGINE_POINT_PANELS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/kernel_choices.h"
#include "model/kernels/cpu/conv_layer.h"

namespace anybit::model {

struct LayerPanels {
  // Of a conv layer, by kChoiceRows. Sizes with the same algorithm share one panel.
  std::array<std::shared_ptr<const ConvLayer>, kChoiceRows.size()> conv;

  // Of a linear layer: [out][depth], codes or, at full precision, floats. The epilogue is the artifact's.
  std::vector<int8_t> codes;
  std::vector<float> floats;
  std::span<const float> scale, bias;  // [out]
};

// Not changed once made, so any number of slots may run with it.
struct PointPanels {
  bool full_precision = false;
  bool bfloat16 = false;            // with values that are bfloat16 numbers
  std::vector<LayerPanels> layers;  // by layer index of the plan
  int64_t bytes = 0;                // of all panels
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_POINT_PANELS_H_
