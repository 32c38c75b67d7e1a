// The operators of a network's nodes on LibTorch tensors, as conversion without training runs them.
//
// Values of all images are kept as chunks of rows, so that the memory of one operator stays small.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_OPERATORS_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_OPERATORS_H_

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

// The values of one node for all images: tensors [rows, C, H, W].
using Chunks = std::vector<torch::Tensor>;

// The rows `images` of the network's input as u8 chunks; a clip's frames are rows.
Chunks ToChunks(const NetworkPlan& plan, std::span<const uint8_t> images);

// [1, C, 1, 1].
torch::Tensor PerChannel(const std::vector<float>& values);

// [rows, C, H, W] as [rows, depth] in NHWC order.
torch::Tensor Flatten(const torch::Tensor& x);

// Sums of the convolution `node` in the element type of `weights`.
torch::Tensor ConvolutionSums(const PlannedNode& node, const torch::Tensor& x, const torch::Tensor& weights,
                              int64_t padding);

// Maxima of a max pool, sums of a global pool, in float; a global pool adds the frames of one clip.
torch::Tensor Pool(const PlannedNode& node, const torch::Tensor& x);

// The values of an activation.
torch::Tensor Activated(const Activation& activation, const torch::Tensor& x);

// The codes of an image with `padding` places of `border` around them, one value per channel; empty: 0.
torch::Tensor WithBorder(const torch::Tensor& codes, int64_t padding, const std::vector<float>& border);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_OPERATORS_H_
