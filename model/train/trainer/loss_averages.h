// Moving averages of each point's label loss, for the progress line.
//
// They stay on the training device, so that no step waits for a transfer until the averages are shown.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_LOSS_AVERAGES_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_LOSS_AVERAGES_H_

#include <torch/types.h>

#include <string>
#include <vector>

#include "model/train/recipe/point_recipe.h"

namespace anybit::model::train {

class LossAverages {
 public:
  LossAverages(size_t points, const torch::Device& device);

  void Add(PointIndex point, const torch::Tensor& loss);

  // "loss w8a8 0.123 w4a4f 0.456": the points that have run, in their order. Waits for the device.
  std::string Text(const std::vector<PointRecipe>& points) const;

  // [points], 0 for a point that has not run; can be read and written for a checkpoint.
  const torch::Tensor& tensor() const { return losses_; }

 private:
  torch::Tensor losses_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_LOSS_AVERAGES_H_
