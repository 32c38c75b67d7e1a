// Where every activation of a network lies in one slot's memory.
//
// A node's map has the border that its readers need. Borders are zeroed once, and written only by nodes whose zero code
// may be above 0. So nodes share a buffer only where their maps are equal, and with nodes of the same sort. A buffer is
// free again after its last reader has run. Maps describe one image: a row of several frames is as many images, one
// after the other.
#ifndef ANYBIT_MODEL_ENGINE_ACTIVATION_PLAN_H_
#define ANYBIT_MODEL_ENGINE_ACTIVATION_PLAN_H_

#include <cstdint>
#include <vector>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"
#include "model/kernels/feature_map.h"

namespace anybit::model {

struct ActivationPlan {
  FeatureMap input;               // of the network; channels are padded unless dense convolutions alone read it
  std::vector<FeatureMap> maps;   // by node; unused for global pool and linear nodes
  std::vector<int> buffers;       // by node, -1 where nothing is stored
  std::vector<int64_t> elements;  // by buffer, of one image

  const FeatureMap& map(int node) const { return node == kNetworkInput ? input : maps[node]; }

  // The maps of a conv node of `plan`.
  ConvMaps MapsOf(const NetworkPlan& plan, const PlannedNode& node) const;
};

ActivationPlan PlanActivations(const NetworkPlan& plan);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_ACTIVATION_PLAN_H_
