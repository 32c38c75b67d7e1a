// A training system as data: what is quantized how, who teaches whom, and what the shared weights are asked for.
//
// Named rows are ours and the systems of the literature; `key=value` overrides make any other, so an ablation is a line
// of text. Whatever the rule, children are made by the serving formula (model/format/code_range.h): rules differ only
// in how float weights become the int8 store and its scales, and in how gradients come back.
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit {

// How far the 127 steps of a store scale reach. First and last layer always reach their largest weight.
enum class WeightRule : uint8_t {
  kRms,        // reach * root mean square: a Gaussian's best range for few levels at 2.5
  kScaleClip,  // T = reach * mean|W|, to which larger weights are moved at every step (GDRQ)
  kLargest,    // the largest weight: nothing is clipped
  kLearned,    // a learned scale that starts at reach * root mean square (LSQ; double rounding)
  kDoReFa,     // 1, for weights tanh(W) / max|tanh(W)| (DoReFa)
};

enum class ActivationRule : uint8_t {
  kLearnedStep,  // LSQ: the step is learned, its gradient scaled by 1 / sqrt(elements * highest code)
  kPact,         // the clip alpha = step * highest code is learned, with AdaBits' gradient
  kUnit,         // clipped at 1, nothing learned (DoReFa; batch norm does the scaling)
};

// What a pass with a teacher learns from; a pass without one learns from the labels.
enum class LossRule : uint8_t { kLabels, kSoft, kBoth };

// Only points of strictly higher precision that run in the same step can teach (model/train/recipe/teacher.h).
enum class TeacherRule : uint8_t {
  kNone,
  kNext,  // the next higher
  kHighest,
  kRandom,      // uniformly, anew for each student and step
  kLowestLoss,  // of the labels, on this batch
  kClosest,  // least KL(teacher || student) on this batch; while blocks are swapped this costs a pass without gradients
};

enum class ScheduleShape : uint8_t { kConstant, kLinear, kCosine };

enum class Combination : uint8_t { kSum, kMean };

struct Recipe {
  std::string name;
  bool joint = true;  // false: one network per operating point, each alone

  WeightRule weights = WeightRule::kRms;
  double reach = 0;            // > 0 once parsed: 2.5 of kRms and kLearned, 2 of kScaleClip
  int group = 1;               // filters that share a scale; 0: the whole layer
  bool center = false;         // weights less their filter's mean, at every point
  bool clip_gradient = false;  // none for weights beyond the codes' limits

  ActivationRule activations = ActivationRule::kLearnedStep;
  double activation_decay = 0;  // weight decay of PACT's clips

  LossRule loss = LossRule::kLabels;
  TeacherRule teacher = TeacherRule::kNone;
  double temperature = 1;
  double distill = 1;    // lambda of labels + lambda T^2 KL
  int distill_bits = 8;  // points of more weight bits learn from the labels alone; their blocks may still be swapped

  double swap = 0;        // probability that a residual block of a student's pass runs at the teacher's point, at first
  double swap_end = 0.9;  // share of joint training after which it is 0
  ScheduleShape swap_shape = ScheduleShape::kLinear;

  double kure = 0;  // weight of (kurtosis - 1.8)^2, mean over inner layers
  double skew = 0;  // weight of skewness^2, likewise

  // One-bit points.
  double sign_window = 0;  // weights beyond this many mean magnitudes get no gradient from a sign; 0: all do
  double sign_gain = 1;    // factor of the loss of points with one-bit weights
  double sign_margin = 0;  // one-bit activations pass gradients this many steps beyond 0 .. step as well

  Combination gradients = Combination::kMean;
  double step_rate = 0.1;    // learning rate of activation steps and learned scales, of the weights'
  double scale_decades = 0;  // ... falling by so many decades per bit below 8
};

// `text` is a row's name, or a name followed by `,key=value` overrides: "coquant,teacher=closest,swap=0.3". Rows:
//   anybit                what was measured to help (model/train/results): Scale-Clip, labels, blocks swapped in
//                         the first half, one-bit gradients for weights near their sign change, from beyond the
//                         activations' range too
//   adabits               DoReFa weights, PACT clips, labels at every bit-width (Jin et al., CVPR 2020)
//   any-precision         DoReFa weights and activations, each point taught by the next higher (Yu et al., AAAI 2021);
//                         any-precision:recursive is the same, :soft is taught by the highest, :hard by the labels
//   coquant               learned steps, rms scales, the teacher of lowest loss, swapped blocks (Sun et al.)
//   double-rounding       learned scales whose rates are 1, .1, .01, .001 of the weights' at 8, 6, 4, 2 bits, labels
//                         (Huang et al., 2025)
//   separate              coquant's quantizers, one network per point: the control
// InvalidArgument names the key, its value and what is allowed; RecipeKeys lists the keys.
absl::StatusOr<Recipe> ParseRecipe(absl::string_view text);

// The shortest text that ParseRecipe takes back: the row's name and what differs from it.
std::string RecipeText(const Recipe& recipe);

// Every field, for the identity of a run.
std::string WholeRecipeText(const Recipe& recipe);

// The rows' names, with commas between them.
std::string RecipeNames();

// One line per key: its values and its meaning.
std::string RecipeKeys();

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_
