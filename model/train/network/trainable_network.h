// A NetworkSpec as a LibTorch module that trains all its operating points over one set of weights.
//
// The weights of a layer are shared by all points. Batch norm and activation steps are "switchable": each point has its
// own. In training the module computes the serving integer formula with batch statistics. Export folds the running
// statistics into an artifact, which TorchNetwork simulates.
//
//   TrainableNetwork network(spec, points, recipe, seed);
//   LabelLoss(network->Forward(point, images), labels, 0).backward();
//   network->PullBackGradients();
//   optimizer.Step(rate);
//   network->KeepInRange();
//   network->WeightsChanged();
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_

#include <torch/torch.h>

#include <functional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/train/network/activation_parameter.h"
#include "model/train/network/convolution.h"
#include "model/train/network/layer_weights.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

// A count of the activations of passes that lie beyond the codes' range.
struct Saturation {
  torch::Tensor beyond;  // number; undefined without quantized activations
  int64_t values = 0;    // of all

  double Share() const;  // waits for the device; 0 of 0 values
};

class TrainableNetworkImpl : public torch::nn::Module {
 public:
  // PlanNetwork must accept `spec`. Initial weights are drawn from `seed` (initial_weights.h).
  TrainableNetworkImpl(NetworkSpec spec, std::vector<PointRecipe> points, const Recipe& recipe, uint64_t seed);

  const NetworkPlan& plan() const { return plan_; }
  const std::vector<PointRecipe>& points() const { return points_; }

  // Logits [N, classes] of u8 images [N, height, width, channels], or clips [N, frames, height, width, channels], with
  // batch statistics. Also moves the running statistics of `point` by `momentum` towards those of the batch.
  //
  // Where `route` is given, node i runs at point route[i]: weights, batch norm and activations. Parameters and running
  // statistics of other points than `point` are then constants; only the shared weights get gradients from their
  // nodes. Such a node uses batch statistics, because its running ones come from inputs of its own point, which have
  // another scale.
  torch::Tensor Forward(PointIndex point, const torch::Tensor& images, double momentum = 0.1,
                        std::span<const PointIndex> route = {});

  // Sets the running statistics of `point`, layer by layer. Those of a layer are measured on all of `batches` (at least
  // one, as Forward takes them), through the preceding layers with their new statistics: as the network will be served.
  //
  // Running averages of Forward's batch statistics describe another network. With few activation levels, a frequent
  // value such as the background's may be rounded up in one batch and down in the next. Served, it is always rounded
  // the same way, but the statistics of the following layers are those of the mixture.
  //
  // The cost is half as many forward passes as there are layers. In a group the batches of all processes count.
  // `batches` may be on another device than the network.
  void EstimateNorms(PointIndex point, std::span<const torch::Tensor> batches);

  // Sets whether batch statistics are computed over the images of all processes of `group`, or (null) of this process.
  void SynchronizeNorms(ProcessGroup* group) { group_ = group; }

  // Makes convolutions round the operands of their backward pass to bfloat16 (network/convolution.h).
  void RoundBackward();

  // Adds to the parameters' gradients those that passes left on quantized weights; called after backward.
  void PullBackGradients();

  // Moves weights beyond the weight rule's clip (inner layers) and activation steps that are almost 0 back to their
  // limits; called after every optimizer step.
  void KeepInRange();

  // Drops values computed from the parameters; called whenever parameters have changed in place.
  void WeightsChanged();

  // Copies the batch norm of point `from` to all others: the beginning of joint training.
  void SpreadBatchNorm(PointIndex from);

  // Sets the activation steps of `point` to 2 mean(x) / sqrt(highest) of the activations x of `images` (LSQ).
  void CalibrateSteps(PointIndex point, const torch::Tensor& images);

  // Sets learned scales from the present weights.
  void ResetScales();

  // Copies the float weights of point `from` of `artifact`, a full-precision point of the same spec. `point`, which is
  // full precision here, gets a batch norm equal to the folded one there, with the statistics of `images`.
  void StartFrom(const Artifact& artifact, int from, PointIndex point, const torch::Tensor& images);

  // The artifact of `points`, with batch norm folded; its accuracies are 0.
  Artifact Export(std::span<const PointIndex> points);
  Artifact Export();  // of all points

  // Makes passes add their point's own activations to `saturation`; null ends it.
  void CountSaturation(Saturation* saturation) { saturation_ = saturation; }

  // The tensors on which passes leave gradients: parameters, and values computed from them.
  std::vector<torch::Tensor> gradient_holders() const;

  // Name of each convolution and real value of one activation code, of a quantized point. Waits for the device.
  std::vector<std::pair<std::string, double>> activation_steps(PointIndex point) const;

  // Parameters, grouped by how they are trained.
  std::vector<torch::Tensor> weights() const;
  std::vector<torch::Tensor> inner_weights() const;  // without the first and the last layer
  std::vector<torch::Tensor> norms() const;          // batch norm and the head's bias
  std::vector<torch::Tensor> steps() const;          // learned activation steps of all points
  std::vector<torch::Tensor> steps(PointIndex point) const;
  std::vector<torch::Tensor> scales() const { return scales_; }  // learned weight scales; may be empty
  std::vector<torch::Tensor> shared() const;                     // those that all points use

 private:
  static constexpr double kNormEpsilon = 1e-5;     // PyTorch's default
  static constexpr double kPixelStep = 1.0 / 255;  // real value of one image code

  // The switchable parts of one conv layer at one point.
  struct Switch {
    torch::Tensor gamma, beta, mean, variance;  // [O]
    torch::Tensor step;  // [1], see ActivationParameter; undefined at full precision and at ActivationRule::kUnit
  };

  // The operations of a conv layer at a point after its sums x [N, O, H, W].
  struct Epilogue {
    std::function<torch::Tensor(PointIndex point, const PlannedNode& node, const torch::Tensor& x)> normalize;
    std::function<torch::Tensor(PointIndex point, int layer, const torch::Tensor& x)> activate;
  };

  void AddLayer(const PlannedNode& node, std::mt19937_64& random);
  Switch MakeSwitch(PointIndex point, const PlannedNode& node);

  bool IsWide(int layer) const;  // the first and the last layer have 8-bit weights at every quantized point
  CodeRange WeightRange(PointIndex point, int layer) const;
  torch::Tensor PointWeights(PointIndex point, int layer);
  // Real value of one child code of each output channel; 1 at full precision.
  std::vector<double> Units(PointIndex point, int layer);
  // The activation code that stands for 0 at a quantized point.
  int ZeroPoint(PointIndex point, int layer) const;
  ActivationParameter ActivationOf(PointIndex point, int layer) const;
  // Real value of one activation code of a conv layer, [1], with its gradient.
  torch::Tensor ActivationStep(PointIndex point, int layer) const;
  // The same as a number; 1 at full precision.
  double ActivationUnit(PointIndex point, int layer) const;
  // Real values of one code of each node's output; 1 for the activations of a full-precision point.
  std::vector<double> NodeUnits(PointIndex point) const;
  double UnitOf(const std::vector<double>& node_units, int node) const;

  // The output of node end - 1, with node i at point route[i], or all nodes at `point` without a route.
  torch::Tensor RunNodes(PointIndex point, const torch::Tensor& images, std::span<const PointIndex> route, size_t end,
                         const Epilogue& epilogue);
  torch::Tensor RunConv(PointIndex point, const PlannedNode& node, const torch::Tensor& x,
                        const torch::Tensor& residual, const Epilogue& epilogue);
  // The epilogue of training at `point`: nodes of other points are constants.
  Epilogue TrainingEpilogue(PointIndex point, double momentum);
  torch::Tensor Normalize(PointIndex point, const PlannedNode& node, const torch::Tensor& sums, bool own,
                          double momentum);
  torch::Tensor Activate(PointIndex point, int layer, const torch::Tensor& x, bool own);
  // The parameter of the activation quantizer for activations like x.
  torch::Tensor MeasuredParameter(PointIndex point, int layer, const torch::Tensor& x) const;
  void CountBeyond(PointIndex point, int layer, const torch::Tensor& x);
  // Moves a clip that follows the data by `momentum` towards that of x, in all processes of a group alike.
  void FollowActivations(PointIndex point, int layer, const torch::Tensor& x, double momentum);

  LayerEpilogue ExportConv(PointIndex point, const PlannedNode& node, double input_step, double residual_step);
  LayerEpilogue ExportHead(PointIndex point, const PlannedNode& node, double input_step);

  NetworkSpec spec_;
  NetworkPlan plan_;
  std::vector<PointRecipe> points_;
  const Recipe recipe_;
  std::vector<torch::Tensor> weights_;         // by layer: [O, C, k, k], or linear [O, depth] in NHWC order
  std::vector<torch::Tensor> scales_;          // learned scales of inner layers
  std::vector<LayerWeights> layers_;           // by layer, over weights_
  torch::Tensor head_bias_;                    // [classes]
  std::vector<std::vector<Switch>> switches_;  // [point][layer]
  ProcessGroup* group_ = nullptr;
  Saturation* saturation_ = nullptr;
  BackwardOperands backward_ = BackwardOperands::kFloat;
};
TORCH_MODULE(TrainableNetwork);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_TRAINABLE_NETWORK_H_
