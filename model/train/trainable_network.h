// A NetworkSpec as a LibTorch module that trains all its operating points over one set of weights.
//
// Shared: the weights of every layer. Per operating point ("switchable"): batch norm and activation steps. What it
// computes in training is the serving integer formula with batch statistics; Export folds the running statistics into an
// artifact, whose simulation is TorchNetwork.
#ifndef ANYBIT_MODEL_TRAIN_TRAINABLE_NETWORK_H_
#define ANYBIT_MODEL_TRAIN_TRAINABLE_NETWORK_H_

#include <torch/torch.h>

#include <vector>

#include "model/artifact.h"
#include "model/network_spec.h"
#include "model/train/fake_quant.h"
#include "model/train/point_recipe.h"
#include "model/train/process_group.h"

namespace anybit {

class TrainableNetworkImpl : public torch::nn::Module {
 public:
  // `spec` must plan. Weights start from He et al.'s normal initialisation, drawn from `seed`.
  TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, uint64_t seed);

  const NetworkPlan& plan() const { return plan_; }
  const std::vector<PointRecipe>& points() const { return points_; }

  // Logits [N, classes] of u8 images [N, height, width, channels], or clips [N, frames, height, width, channels], with
  // batch statistics; also updates the running ones
  // with the given momentum.
  torch::Tensor Forward(int point, const torch::Tensor& images, double momentum = 0.1);

  // From now on batch statistics are those of all the group's processes together; null: of this one's images alone.
  void SynchronizeNorms(ProcessGroup* group) { group_ = group; }

  // Copies the batch norm of point `from` to all others, the start of joint training.
  void SpreadBatchNorm(int from);

  // Sets the activation steps of `point` from the activations that `images` cause (LSQ's 2 mean(x) / sqrt(highest)).
  void CalibrateSteps(int point, const torch::Tensor& images);

  // Everything folded; accuracies are left 0.
  Artifact Export() const;

  // Parameters by how they are trained: layer weights decay, batch norm and bias do not, steps have a lower rate.
  std::vector<torch::Tensor> weights() const;
  std::vector<torch::Tensor> norms() const;
  std::vector<torch::Tensor> steps() const;

 private:
  // The switchable parts of one conv layer at one point.
  struct Switch {
    torch::Tensor gamma, beta, mean, variance;  // [O]
    torch::Tensor step;                         // [1]; unused at full precision
  };

  bool IsWide(int layer) const;  // first and last layer: 8-bit weights at every quantized point
  CodeRange WeightRange(int point, int layer) const;
  StoreRange WeightStore(int layer) const { return IsWide(layer) ? StoreRange::kLargest : StoreRange::kTwoAndAHalfRms; }
  torch::Tensor LayerWeights(int point, int layer) const;
  // Real value of one child code of each output channel; 1 at full precision.
  std::vector<double> Units(int point, int layer) const;
  // Real value of one activation code of a conv layer; 1 at full precision.
  double ActivationStep(int point, int layer) const;
  torch::Tensor Activate(int point, int layer, const torch::Tensor& x);
  LayerEpilogue ExportConv(int point, const PlannedNode& node, double input_step, double residual_step) const;
  LayerEpilogue ExportHead(int point, const PlannedNode& node, double input_step) const;

  NetworkSpec spec_;
  NetworkPlan plan_;
  std::vector<PointRecipe> points_;
  std::vector<torch::Tensor> weights_;         // per layer: [O, C, k, k], of linear [O, depth] in NHWC order
  torch::Tensor head_bias_;                    // [classes]
  std::vector<std::vector<Switch>> switches_;  // [point][layer]
  bool calibrating_ = false;
  ProcessGroup* group_ = nullptr;
};
TORCH_MODULE(TrainableNetwork);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINABLE_NETWORK_H_
