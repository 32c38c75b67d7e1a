// The weights of one layer: float parameters, the int8 store that follows from them, and the values of each child.
//
// Values are computed once per step however many passes use them. They are leaves of autograd: passes leave gradients
// on them, and PullBack brings all of these to the parameters at once, through whatever the recipe puts in between.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_

#include <torch/torch.h>

#include <vector>

#include "model/format/code_range.h"
#include "model/train/recipe/recipe.h"

namespace anybit {

// What of a Recipe concerns one layer's weights; the same fields.
struct WeightQuantization {
  WeightRule rule = WeightRule::kLargest;
  double reach = 1;
  int group = 1;
  bool center = false;
  bool clip_gradient = false;
  double sign_window = 0;
};

// Groups of `filters` filters.
int64_t GroupCount(int64_t filters, int group);

class LayerWeights {
 public:
  // `weights` [O, ...] and, for kLearned, `learned` [groups] are the caller's parameters: they are trained elsewhere
  // and keep their identity. `learned` is undefined for other rules. It holds what 127 scales reach, a size like the
  // weights', so that an optimizer whose steps do not depend on a gradient's size treats both alike; its gradient is
  // such that plain gradient descent moves the scale as LSQ does.
  LayerWeights(torch::Tensor weights, torch::Tensor learned, const WeightQuantization& quantization);

  // kScaleClip's: moves weights that lie beyond `reach` mean magnitudes to there (GDRQ's Scale-Clip), so that their
  // distribution flattens while they are trained; nothing for other rules. To be called after every optimizer step.
  void Clip();

  // What was computed from the parameters is stale.
  void Refresh();

  // Starts a learned scale from the present weights; nothing for other rules.
  void ResetLearned();

  // The values at full precision and those of a child, shaped like the parameters, 4-D ones channels last.
  // `scale_factor` multiplies what this point's gradient says about a learned scale.
  torch::Tensor Full();
  torch::Tensor Child(const CodeRange& range, double scale_factor = 1);

  // Adds to the parameters' gradients those that Full and Child have gathered, and clears these.
  void PullBack();

  // The artifact's part: codes -127..127 as whole floats [O, ...], values of a code step [O], and the real value of one
  // child code of each filter [O].
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
  // The share of `child`'s gradient that goes through the rounding; its learned scale's is added to that parameter.
  torch::Tensor ThroughRounding(const ChildValues& child);

  const torch::Tensor weights_, learned_;
  const WeightQuantization quantization_;
  torch::Tensor base_;   // what is rounded: the weights, centred or squashed
  torch::Tensor scale_;  // [O]
  torch::Tensor codes_;
  torch::Tensor full_;  // leaf
  std::vector<ChildValues> children_;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_LAYER_WEIGHTS_H_
