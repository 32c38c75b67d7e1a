// Second moments of what one output of a layer reads, collected from sampled places.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_INPUT_MOMENTS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_INPUT_MOMENTS_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

class InputMomentSums {
 public:
  // For about `places` outputs of each channel, over `rows` rows in all. Nothing is collected where that would take
  // too much memory, and of layers other than convolutions of maps.
  InputMomentSums(const PlannedNode& node, int64_t rows, int64_t places);

  // `padded` [rows, C, H, W], with the padding around it.
  void Add(const torch::Tensor& padded);

  // About the means, in the order of the layer's weights: [depth][depth], of depthwise layers [out][depth][depth].
  // Empty: nothing was collected.
  std::vector<float> Moments() const;

 private:
  // [groups, samples, depth]
  torch::Tensor Gather(const torch::Tensor& padded) const;

  const PlannedNode& node_;
  std::vector<int64_t> outputs_;  // sampled places of the output map; empty: none
  int64_t count_ = 0;
  torch::Tensor sums_, squares_;  // [groups, depth], [groups, depth, depth]
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_INPUT_MOMENTS_H_
