// A NetworkSpec as a LibTorch module that trains all its operating points over one set of weights.
//
// Shared: the weights of every layer. Per operating point ("switchable"): batch norm and activation steps. What it
// computes in training is the serving integer formula with batch statistics; Export folds the running statistics into
// an artifact, whose simulation is TorchNetwork.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_

#include <torch/torch.h>

#include <functional>
#include <span>
#include <vector>

#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/train/network/convolution.h"
#include "model/train/network/layer_weights.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

class TrainableNetworkImpl : public torch::nn::Module {
 public:
  // `spec` must plan. Weights start from He et al.'s normal initialisation, drawn from `seed`.
  TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, const Recipe& recipe, uint64_t seed);

  const NetworkPlan& plan() const { return plan_; }
  const std::vector<PointRecipe>& points() const { return points_; }

  // Logits [N, classes] of u8 images [N, height, width, channels], or clips [N, frames, height, width, channels], with
  // batch statistics; also updates the running ones of `point` with the given momentum.
  //
  // Where `route` is given, node i runs at route[i] instead, wholly: its weights, its batch norm and its activations.
  // What belongs to another point than `point` is then a constant, except for the shared weights: neither its
  // parameters nor its running statistics learn from this pass. It normalises by the statistics of the batch, not by
  // its running ones, because what it reads comes from other points' blocks, whose scale it has never seen.
  torch::Tensor Forward(int point, const torch::Tensor& images, double momentum = 0.1, std::span<const int> route = {});

  // Sets the running statistics of `point`, layer by layer: each from all of `batches` (at least one; images as Forward
  // takes them), through the layers before it as they will be served, with the statistics that these have got. Averages
  // of what Forward measures are of a network that nobody serves: where an activation has few levels, a common value,
  // such as the background's, falls on either side of a rounding as the batch may be, on one side once it is served,
  // and the layers behind were measured on a mixture. Costs half the layers' number of forward passes. In a group,
  // `batches` of all processes count. They may lie on another device than the network.
  void EstimateNorms(int point, std::span<const torch::Tensor> batches);

  // From now on batch statistics are those of all the group's processes together; null: of this one's images alone.
  void SynchronizeNorms(ProcessGroup* group) { group_ = group; }

  // From now on convolutions round the operands of their backward pass to bfloat16 (network/convolution.h).
  void RoundBackward();

  // After backward: brings the gradients that passes have left on quantized weights to the parameters.
  void PullBackGradients();

  // To be called after every optimizer step: weights that the weight rule clips (of layers between the first and the
  // last) and activation steps that are hardly above 0 go back to their limits.
  void KeepInRange();

  // To be called whenever parameters have changed in place.
  void WeightsChanged();

  // Copies the batch norm of point `from` to all others, the start of joint training.
  void SpreadBatchNorm(int from);

  // Sets the activation steps of `point` from the activations that `images` cause (LSQ's 2 mean(x) / sqrt(highest)).
  void CalibrateSteps(int point, const torch::Tensor& images);

  // Starts learned scales from the present weights.
  void ResetScales();

  // Takes the float weights of point `from` of `artifact`, a full-precision one of the same spec, and for `point`, full
  // precision here, a batch norm that computes what was folded there: its statistics are those that `images` cause.
  void StartFrom(const Artifact& artifact, int from, int point, const torch::Tensor& images);

  // Everything folded, of the points at these indices; accuracies are left 0.
  Artifact Export(std::span<const int> points);
  Artifact Export();  // all

  // Parameters by how they are trained: layer weights decay, batch norm and bias do not, steps and scales have a lower
  // rate.
  std::vector<torch::Tensor> weights() const;
  std::vector<torch::Tensor> inner_weights() const;  // less the first and the last layer
  std::vector<torch::Tensor> norms() const;
  std::vector<torch::Tensor> steps() const;  // of all points
  std::vector<torch::Tensor> steps(int point) const;
  std::vector<torch::Tensor> scales() const { return scales_; }  // learned ones; else empty

 private:
  // The switchable parts of one conv layer at one point.
  struct Switch {
    torch::Tensor gamma, beta, mean, variance;  // [O]
    torch::Tensor step;  // [1], of kPact the clip; undefined at full precision and where unlearned
  };

  bool IsWide(int layer) const;  // first and last layer: 8-bit weights at every quantized point
  CodeRange WeightRange(int point, int layer) const;
  torch::Tensor PointWeights(int point, int layer);
  // Real value of one child code of each output channel; 1 at full precision.
  std::vector<double> Units(int point, int layer);
  // Of the activation codes of a conv layer at a quantized point: the one that stands for 0, and how many there are on
  // the wider side of it.
  int ZeroPoint(int point, int layer) const;
  double ActivationLevels(int point, int layer) const;
  // Real value of one activation code of a conv layer, [1], with its gradient.
  torch::Tensor ActivationStep(int point, int layer) const;
  // The same as a number; 1 at full precision.
  double ActivationUnit(int point, int layer) const;
  // Real values of one code of each node's output; 1 for the activations of the full-precision point.
  std::vector<double> NodeUnits(int point) const;
  // What a conv layer makes of its sums [N, O, H, W] at a point.
  using Normalization = std::function<torch::Tensor(int point, const PlannedNode& node, const torch::Tensor& sums)>;
  // The output of the node before `end`, with node i at point route[i], or all at `point` where there is no route.
  torch::Tensor RunNodes(int point, const torch::Tensor& images, std::span<const int> route, size_t end,
                         const Normalization& normalize);
  torch::Tensor Normalize(int point, const PlannedNode& node, const torch::Tensor& sums, bool own, double momentum);
  torch::Tensor Activate(int point, int layer, const torch::Tensor& x, bool own);
  LayerEpilogue ExportConv(int point, const PlannedNode& node, double input_step, double residual_step);
  LayerEpilogue ExportHead(int point, const PlannedNode& node, double input_step);

  NetworkSpec spec_;
  NetworkPlan plan_;
  std::vector<PointRecipe> points_;
  const Recipe recipe_;
  std::vector<torch::Tensor> weights_;         // per layer: [O, C, k, k], of linear [O, depth] in NHWC order
  std::vector<torch::Tensor> scales_;          // learned scales of inner layers
  std::vector<LayerWeights> layers_;           // per layer, over weights_
  torch::Tensor head_bias_;                    // [classes]
  std::vector<std::vector<Switch>> switches_;  // [point][layer]
  // While set, a pass changes what it meets: activation steps, or batch norms into those of an artifact's point.
  bool calibrating_ = false;
  const ArtifactPoint* adopted_ = nullptr;
  ProcessGroup* group_ = nullptr;
  BackwardOperands backward_ = BackwardOperands::kFloat;
};
TORCH_MODULE(TrainableNetwork);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_
