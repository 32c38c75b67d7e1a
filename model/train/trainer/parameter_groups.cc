#include "model/train/trainer/parameter_groups.h"

#include <algorithm>
#include <cmath>

namespace anybit::model::train {

std::vector<ParameterGroup> ParameterGroups(const TrainableNetworkImpl& network, const Recipe& recipe,
                                            double weight_decay) {
  std::vector<ParameterGroup> groups = {{.parameters = network.weights(), .weight_decay = weight_decay},
                                        {.parameters = network.norms()}};
  const double clip_decay = recipe.activations == ActivationRule::kPact ? recipe.activation_decay : 0;
  for (size_t p = 0; p < network.points().size(); ++p) {
    // Few bits: a step that learns fast jumps between roundings.
    const int bits_below_8 = std::max(0, 8 - network.points()[p].activation_bits);
    groups.push_back({.parameters = network.steps(static_cast<PointIndex>(p)),
                      .rate = recipe.step_rate * std::pow(10.0, -recipe.scale_decades * bits_below_8),
                      .weight_decay = clip_decay,
                      .relative = true});
  }
  groups.push_back({.parameters = network.scales(), .rate = recipe.step_rate});
  return groups;
}

}  // namespace anybit::model::train
