// A training system as data: quantization rules, teachers, losses and how gradients of the points are combined.
//
// Named rows are our own system and those of the literature. `key=value` overrides change any row, so that an ablation
// is one line of text. All rules make children by the serving formula (model/format/code_range.h). They differ only in
// how float weights become the int8 store with its scales, and in how gradients return.
//
//   absl::StatusOr<Recipe> recipe = ParseRecipe("coquant,teacher=closest,swap=0.3");
#ifndef ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_
#define ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::model::train {

// The reach of a store scale: the magnitude of code 127. The first and the last layer always use kLargest.
enum class WeightRule : uint8_t {
  kRms,        // reach * root mean square; 2.5 is best for a Gaussian with few levels
  kScaleClip,  // reach * mean|W|; every step moves larger weights to this limit (GDRQ)
  kLargest,    // the largest weight: nothing is clipped
  kLearned,    // a learned scale, initially reach * root mean square (LSQ; double rounding)
  kDoReFa,     // 1, for weights tanh(W) / max|tanh(W)| (DoReFa)
};

enum class ActivationRule : uint8_t {
  kLearnedStep,  // LSQ: the step is learned, its gradient scaled by 1 / sqrt(elements * highest code)
  kPact,         // the clip alpha = step * highest code is learned, with AdaBits' gradient
  kUnit,         // clipped at 1, nothing learned (DoReFa; batch norm does the scaling)
  kScaleClip,    // the clip follows the data: activation_reach * mean|x|, a moving average (GDRQ)
};

// The loss of a pass with a teacher, of the labels' cross-entropy and the teacher's KL divergence at temperature T.
// Without a teacher: labels.
enum class LossRule : uint8_t {
  kLabels,
  kSoft,        // T^2 KL
  kBoth,        // labels + distill T^2 KL
  kNormalized,  // (1 - alpha) labels + alpha T^2 KL: a pass with a teacher weighs as much as one without
};

// The teacher among the points of strictly higher precision that run in the same step (model/train/recipe/teacher.h).
enum class TeacherRule : uint8_t {
  kNone,
  kNext,        // the next higher precision
  kHighest,     // the highest precision
  kRandom,      // drawn uniformly for each student and step
  kLowestLoss,  // the smallest label loss on this batch
  kClosest,     // the smallest KL(teacher || student) on this batch; with swapped blocks it costs one more forward pass
};

// The logits that a teacher teaches, and whose loss decides whether it is chosen.
enum class TeacherLogits : uint8_t {
  kRouted,  // those of its own pass in this step, in which some blocks may have been swapped
  kPure,    // those of the network that donates the blocks: while blocks are swapped, one more forward pass
  kFrozen,  // those of the network at full precision as it was after the start. It teaches all points, the highest too;
            // the teacher rule then chooses only whose blocks are swapped in
};

enum class ScheduleShape : uint8_t { kConstant, kLinear, kCosine };

enum class ScheduleCourse : uint8_t { kFalling, kRising };

enum class Combination : uint8_t {
  kSum,
  kMean,        // every gradient is divided by the number of points of the step
  kMeanShared,  // only those of parameters that all points use; a point's own batch norm and steps learn as in kSum
};

struct Recipe {
  std::string name;
  bool joint = true;  // false: one network per operating point, each trained by itself

  WeightRule weights = WeightRule::kRms;
  double reach = 0;            // > 0 once parsed; default 2, of kScaleClip; else 2.5
  int group = 1;               // filters that share a scale; 0: the whole layer
  bool center = false;         // subtract each filter's mean from its weights, at every point
  bool clip_gradient = false;  // no gradient for weights beyond the limits of the codes

  ActivationRule activations = ActivationRule::kLearnedStep;
  double activation_decay = 0;  // weight decay of PACT's clips
  double activation_reach = 5;  // clip of kScaleClip in mean|x|; 5 are 2 standard deviations of a Gaussian before ReLU

  LossRule loss = LossRule::kLabels;
  TeacherRule teacher = TeacherRule::kNone;
  TeacherLogits logits = TeacherLogits::kRouted;
  double temperature = 1;
  double distill = 1;    // weight of the teacher in LossRule::kBoth
  double alpha = 0.5;    // weight of the teacher in LossRule::kNormalized
  int distill_bits = 8;  // points with more weight bits learn from the labels alone; their blocks may still be swapped.
                         // 8 stands for all points, also those of floats

  double distill_begin = 0;  // shares of joint training between which students learn from a teacher's logits
  double distill_end = 1;

  double swap = 0;        // highest probability that a residual block of a student's pass runs at the teacher's point
  double swap_low = 0;    // lowest probability between begin and end
  double swap_begin = 0;  // shares of joint training between which blocks are swapped
  double swap_end = 0.9;
  ScheduleShape swap_shape = ScheduleShape::kLinear;
  ScheduleCourse swap_course = ScheduleCourse::kFalling;
  int swap_cycles = 1;  // the course is run this often between begin and end: restarts

  double kure = 0;  // weight in the loss of (kurtosis - 1.8)^2, mean over inner layers
  double skew = 0;  // weight in the loss of skewness^2, mean over inner layers

  // One-bit points.
  double sign_window = 0;  // in mean magnitudes: larger weights get no gradient from a sign; 0: all weights get one
  double sign_gain = 1;    // factor of the loss of points with one-bit weights
  double sign_margin = 0;  // in steps: one-bit activations also pass gradients this far beyond their range

  Combination gradients = Combination::kMean;
  double step_rate = 0.1;    // learning rate of activation steps and learned scales, as a factor of the weights' rate
  double scale_decades = 0;  // decades by which that factor falls per bit below 8
};

// Whether points are taught by the frozen network of the start.
bool LearnsFromFrozen(const Recipe& recipe);

// `text` is a row's name, or a name followed by `,key=value` overrides: "coquant,teacher=closest,swap=0.3". Rows:
//   anybit                the methods that were measured to help (model/train/results): Scale-Clip, labels, blocks
//                         swapped in the first half; one-bit gradients for weights near a sign change and from beyond
//                         the activations' range
//   adabits               DoReFa weights, PACT clips, labels at every bit-width (Jin et al., CVPR 2020)
//   any-precision         DoReFa weights and activations, each point taught by the next higher (Yu et al., AAAI 2021);
//                         any-precision:recursive is the same, :soft is taught by the highest, :hard by the labels
//   coquant               learned steps, rms scales, the teacher of lowest loss, swapped blocks (Sun et al.)
//   double-rounding       learned scales with rates of 1, .1, .01, .001 of the weights' at 8, 6, 4, 2 bits; labels
//                         (Huang et al., 2025)
//   gdrq                  Scale-Clip of weights, with scales of 4 filters, and of activations; labels (Yu et al., 2019)
//   separate              the quantizers of coquant, one network per point: the control experiment
// InvalidArgument, with the key, its value and the allowed values; RecipeKeys lists the keys.
absl::StatusOr<Recipe> ParseRecipe(absl::string_view text);

// The shortest text that ParseRecipe reads as `recipe`: the row's name and the fields that differ from it.
std::string RecipeText(const Recipe& recipe);

// The text with every field, for the identity of a run. Fields that the first checkpoints did not have are left out
// where they have their defaults, so that a new key changes the identity of no earlier run.
std::string WholeRecipeText(const Recipe& recipe);

// The names of all rows, separated by commas.
std::string RecipeNames();

// One line per key, with its values and its meaning.
std::string RecipeKeys();

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RECIPE_RECIPE_H_
