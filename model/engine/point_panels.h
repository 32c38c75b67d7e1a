// The panels of one operating point: kernel-shaped copies of the weights of all its layers.
#ifndef ANYBIT_MODEL_ENGINE_POINT_PANELS_H_
#define ANYBIT_MODEL_ENGINE_POINT_PANELS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/engine/kernel_choices.h"
#include "model/format/artifact_contents.h"
#include "model/kernels/cpu/conv_layer.h"

namespace anybit::model {

struct LayerPanels {
  // Of a conv layer, by kChoiceRows. Sizes with the same algorithm share one panel.
  std::array<std::shared_ptr<const ConvLayer>, kChoiceRows.size()> conv;

  // Of a linear layer and of a convolution of sums: [out][depth], codes or, at full precision, floats.
  std::vector<int8_t> codes;
  std::vector<float> floats;
  const LayerEpilogue* epilogue = nullptr;  // the artifact's
};

// Not changed once made, so any number of slots may run with it.
struct PointPanels {
  bool full_precision = false;
  bool bfloat16 = false;                      // with values that are bfloat16 numbers
  const ArtifactPoint* point = nullptr;       // the artifact's
  std::vector<std::vector<uint8_t>> borders;  // by node: the pixel around the map; empty where it is always 0
  std::vector<uint8_t> input_border;          // around the network's input; empty: 0
  std::vector<float> float_input_border;      // the same at full precision
  std::vector<LayerPanels> layers;            // by layer index of the plan
  int64_t bytes = 0;                          // of all panels
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_POINT_PANELS_H_
