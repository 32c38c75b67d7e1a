// The weights of one layer: float parameters, the int8 store computed from them, and the values of each child.
//
// Values are computed once per step for all passes that use them. They are autograd leaves: passes leave gradients on
// them, and PullBack adds all of these to the parameters' gradients at once, through the recipe's weight rule.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_

#include <torch/types.h>

#include <vector>

#include "model/format/code_range.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {

// The fields of a Recipe that concern one layer's weights.
struct WeightQuantization {
  WeightRule rule = WeightRule::kLargest;
  double reach = 1;
  int group = 1;
  bool center = false;
  bool clip_gradient = false;
  double sign_window = 0;
};

// The number of groups of `filters` filters, each with one scale; `group` is Recipe::group.
int64_t GroupCount(int64_t filters, int group);

class LayerWeights {
 public:
  // `weights` [O, ...] and, for kLearned, `learned` [groups] are the caller's parameters, which keep their identity.
  // `learned` is undefined for other rules. It holds 127 scales, a value as large as the weights, so that an optimizer
  // whose steps do not depend on the gradient's magnitude treats both alike. Its gradient is scaled so that SGD moves
  // the scale as LSQ does.
  LayerWeights(torch::Tensor weights, torch::Tensor learned, const WeightQuantization& quantization);

  // Under kScaleClip, moves weights beyond `reach` mean magnitudes to that limit (GDRQ's Scale-Clip), which flattens
  // their distribution during training. Does nothing under other rules. Called after every optimizer step.
  void Clip();

  // Drops all values computed from the parameters, which have changed.
  void Refresh();

  // Sets a learned scale from the present weights; does nothing under other rules.
  void ResetLearned();

  // The values at full precision and those of a child, shaped like the parameters; 4-D values are channels last.
  // `scale_factor` multiplies this child's part of a learned scale's gradient.
  torch::Tensor Full();
  torch::Tensor Child(const CodeRange& range, double scale_factor = 1);

  // The values of Full and Child that were computed since Refresh: where passes leave gradients until PullBack.
  std::vector<torch::Tensor> leaves() const;

  // Adds the gradients on the values of Full and Child to the parameters' gradients, and clears them.
  void PullBack();

  // For the artifact: codes -127..127 as whole floats [O, ...], real values of one code [O], and real values of one
  // child code [O].
  torch::Tensor Codes();
  torch::Tensor Scale();
  torch::Tensor Unit(const CodeRange& range);

 private:
  struct ChildValues {
    CodeRange range;
    double scale_factor;
    torch::Tensor codes;
    torch::Tensor leaf;
  };

  void Prepare();  // base_, scale_, codes_
  torch::Tensor Centred(const torch::Tensor& values) const;
  torch::Tensor Leaf(const torch::Tensor& values) const;
  // The gradient of the weights before rounding; also adds `child`'s part of the learned scale's gradient.
  torch::Tensor ThroughRounding(const ChildValues& child);

  const torch::Tensor weights_, learned_;
  const WeightQuantization quantization_;
  torch::Tensor base_;   // the values to round: weights, centred or squashed by the recipe
  torch::Tensor scale_;  // [O]
  torch::Tensor codes_;
  torch::Tensor full_;  // leaf
  std::vector<ChildValues> children_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_
