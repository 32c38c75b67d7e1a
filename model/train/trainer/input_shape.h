// The input of a network as the shape of an example set's rows.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_INPUT_SHAPE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_INPUT_SHAPE_H_

#include "model/data/example_set.h"
#include "model/format/network_spec.h"

namespace anybit::model::train {

inline ExampleShape InputShape(const NetworkPlan& plan) {
  return {
      .frames = plan.frames, .height = plan.input.height, .width = plan.input.width, .channels = plan.input.channels};
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_INPUT_SHAPE_H_
