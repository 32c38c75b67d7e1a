// The parameters of a network in training, grouped by learning rate and weight decay as its recipe says.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_PARAMETER_GROUPS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_PARAMETER_GROUPS_H_

#include <vector>

#include "model/train/network/trainable_network.h"
#include "model/train/recipe/recipe.h"
#include "model/train/trainer/optimizer.h"

namespace anybit::model::train {

// Layer weights decay by `weight_decay`; batch norm, bias and learned scales do not. Activation steps and learned
// scales have the recipe's own rates.
std::vector<ParameterGroup> ParameterGroups(const TrainableNetworkImpl& network, const Recipe& recipe,
                                            double weight_decay);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_PARAMETER_GROUPS_H_
