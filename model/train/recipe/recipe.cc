#include "model/train/recipe/recipe.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace anybit::model::train {
namespace {

// Our own system and the published ones. A number that a paper leaves open has its reason beside it.
std::vector<Recipe> Rows() {
  const Recipe dorefa{.weights = WeightRule::kDoReFa, .group = 0};

  Recipe adabits = dorefa;
  adabits.name = "adabits";
  adabits.activations = ActivationRule::kPact;
  adabits.step_rate = 1;  // as published: clips learn like weights
  adabits.gradients = Combination::kSum;

  Recipe any_precision = dorefa;
  any_precision.name = "any-precision";
  any_precision.activations = ActivationRule::kUnit;
  any_precision.loss = LossRule::kSoft;
  any_precision.teacher = TeacherRule::kNext;
  any_precision.gradients = Combination::kSum;
  Recipe recursive = any_precision;
  recursive.name = "any-precision:recursive";
  Recipe soft = any_precision;
  soft.name = "any-precision:soft";
  soft.teacher = TeacherRule::kHighest;
  Recipe hard = any_precision;
  hard.name = "any-precision:hard";
  hard.loss = LossRule::kLabels;
  hard.teacher = TeacherRule::kNone;

  // T = 2: teacher and student share their weights, so their logits are already close; a higher T only blurs targets.
  const Recipe coquant{
      .name = "coquant", .loss = LossRule::kBoth, .teacher = TeacherRule::kLowestLoss, .temperature = 2, .swap = 0.5};

  // Rates x1, .1, .01, .001 at 8, 6, 4, 2 bits are half a decade per bit.
  const Recipe double_rounding{.name = "double-rounding",
                               .weights = WeightRule::kLearned,
                               .clip_gradient = true,
                               .step_rate = 1,
                               .scale_decades = 0.5};

  const Recipe separate{.name = "separate", .joint = false};

  // The combination of all methods that helped in model/train/results. One-bit passes move only weights near a sign
  // change: larger weights carry the other points, for which one-bit gradients are noise. With this window one-bit
  // activations can learn from beyond their range; without it all other points lose. Blocks are swapped while the
  // learning rate is high.
  const Recipe anybit{.name = "anybit",
                      .weights = WeightRule::kScaleClip,
                      .loss = LossRule::kLabels,
                      .teacher = TeacherRule::kLowestLoss,
                      .swap = 0.25,
                      .swap_end = 0.5,
                      .sign_window = 1,
                      .sign_margin = 0.5};
  // Groups of filters, clips of 2 mean magnitudes: such weights are nearly uniform.
  const Recipe gdrq{
      .name = "gdrq", .weights = WeightRule::kScaleClip, .group = 4, .activations = ActivationRule::kScaleClip};
  return {anybit, adabits, any_precision, recursive, soft, hard, coquant, double_rounding, gdrq, separate};
}

struct Field {
  std::string key;
  std::string values;  // allowed values, as a text
  std::string meaning;
  std::function<bool(Recipe&, absl::string_view)> set;  // returns false for a value that is not allowed
  std::function<std::string(const Recipe&)> get;
  bool later = false;  // not in the first checkpoints
};

Field Later(Field field) {
  field.later = true;
  return field;
}

Field Number(const char* key, double Recipe::*member, double lowest, double highest, const char* meaning) {
  return {key, absl::StrCat(lowest, "..", highest), meaning,
          [=](Recipe& recipe, absl::string_view text) {
            double value = 0;
            // This form of the comparison refuses NaN.
            if (!absl::SimpleAtod(text, &value) || !(value >= lowest && value <= highest)) return false;
            recipe.*member = value;
            return true;
          },
          // The shortest text that parses to the same number.
          [=](const Recipe& recipe) {
            char text[32];
            return std::string(text, std::to_chars(text, text + sizeof text, recipe.*member).ptr);
          }};
}

Field Switch(const char* key, bool Recipe::*member, const char* meaning) {
  return {key, "0|1", meaning,
          [=](Recipe& recipe, absl::string_view text) {
            if (text != "0" && text != "1") return false;
            recipe.*member = text == "1";
            return true;
          },
          [=](const Recipe& recipe) { return std::string(recipe.*member ? "1" : "0"); }};
}

template <typename Enum>
Field Choice(const char* key, Enum Recipe::*member, std::vector<std::pair<std::string, Enum>> choices,
             const char* meaning) {
  const std::string values = absl::StrJoin(
      choices, "|", [](std::string* out, const std::pair<std::string, Enum>& choice) { out->append(choice.first); });
  return {key, values, meaning,
          [=](Recipe& recipe, absl::string_view text) {
            for (const auto& [name, value] : choices) {
              if (name != text) continue;
              recipe.*member = value;
              return true;
            }
            return false;
          },
          [=](const Recipe& recipe) {
            for (const auto& [name, value] : choices) {
              if (recipe.*member == value) return name;
            }
            return std::string("?");
          }};
}

Field Whole(const char* key, int Recipe::*member, int lowest, int highest, const char* meaning) {
  return {key, absl::StrCat(lowest, "..", highest), meaning,
          [=](Recipe& recipe, absl::string_view text) {
            int value = 0;
            if (!absl::SimpleAtoi(text, &value) || value < lowest || value > highest) return false;
            recipe.*member = value;
            return true;
          },
          [=](const Recipe& recipe) { return absl::StrCat(recipe.*member); }};
}

Field Group() {
  return {"group", "layer|1..65536", "filters that share a scale",
          [](Recipe& recipe, absl::string_view text) {
            int value = 0;
            if (text != "layer" && (!absl::SimpleAtoi(text, &value) || value < 1 || value > 65536)) return false;
            recipe.group = value;
            return true;
          },
          [](const Recipe& recipe) { return recipe.group == 0 ? std::string("layer") : absl::StrCat(recipe.group); }};
}

const std::vector<Field>& Fields() {
  using Shape = ScheduleShape;
  static const auto* const fields = new std::vector<Field>{
      Switch("joint", &Recipe::joint, "all points over one set of weights; 0: one network per point"),
      Choice<WeightRule>("weights", &Recipe::weights,
                         {{"rms", WeightRule::kRms},
                          {"scale-clip", WeightRule::kScaleClip},
                          {"largest", WeightRule::kLargest},
                          {"learned", WeightRule::kLearned},
                          {"dorefa", WeightRule::kDoReFa}},
                         "how the store's scale is computed from the weights"),
      Number("reach", &Recipe::reach, 0.1, 20, "value of code 127, in rms (rms, learned) or in mean|W| (scale-clip)"),
      Group(),
      Switch("center", &Recipe::center, "subtract each filter's mean from its weights"),
      Switch("clip_gradient", &Recipe::clip_gradient, "no gradient for weights beyond the limits of the codes"),
      Choice<ActivationRule>("activations", &Recipe::activations,
                             {{"learned", ActivationRule::kLearnedStep},
                              {"pact", ActivationRule::kPact},
                              {"unit", ActivationRule::kUnit},
                              {"scale-clip", ActivationRule::kScaleClip}},
                             "how the range of activations is chosen"),
      Number("activation_decay", &Recipe::activation_decay, 0, 1, "weight decay of PACT's clips"),
      Later(Number("activation_reach", &Recipe::activation_reach, 0.1, 100,
                   "clip of activations in mean|x|, with activations=scale-clip")),
      Choice<LossRule>("loss", &Recipe::loss,
                       {{"labels", LossRule::kLabels},
                        {"soft", LossRule::kSoft},
                        {"both", LossRule::kBoth},
                        {"normalized", LossRule::kNormalized}},
                       "of a pass with a teacher: labels, T^2 KL, labels + distill T^2 KL, or (1 - alpha) labels + "
                       "alpha T^2 KL"),
      Choice<TeacherRule>("teacher", &Recipe::teacher,
                          {{"none", TeacherRule::kNone},
                           {"next", TeacherRule::kNext},
                           {"highest", TeacherRule::kHighest},
                           {"random", TeacherRule::kRandom},
                           {"lowest-loss", TeacherRule::kLowestLoss},
                           {"closest", TeacherRule::kClosest}},
                          "point of higher precision that teaches"),
      Later(Choice<TeacherLogits>(
          "logits", &Recipe::logits,
          {{"routed", TeacherLogits::kRouted}, {"pure", TeacherLogits::kPure}, {"frozen", TeacherLogits::kFrozen}},
          "logits of a teacher: of its pass with swapped blocks, of one without, or for all "
          "points those of full precision after the start")),
      Number("temperature", &Recipe::temperature, 0.1, 100, "of distillation"),
      Number("distill", &Recipe::distill, 0, 1000, "weight of the teacher beside the labels with loss=both"),
      Later(Number("alpha", &Recipe::alpha, 0, 1, "weight of the teacher with loss=normalized")),
      Whole("distill_bits", &Recipe::distill_bits, 1, 8,
            "points with more weight bits learn from the labels alone; 8: none does"),
      Later(Number("distill_begin", &Recipe::distill_begin, 0, 1,
                   "share of joint training before which students learn from the labels alone")),
      Later(Number("distill_end", &Recipe::distill_end, 0, 1,
                   "share of joint training after which students learn from the labels alone")),
      Number("swap", &Recipe::swap, 0, 1,
             "highest probability that a block of a student's pass runs at the teacher's point"),
      Later(Number("swap_low", &Recipe::swap_low, 0, 1, "lowest probability between swap_begin and swap_end")),
      Later(Number("swap_begin", &Recipe::swap_begin, 0, 1, "share of joint training before which none is swapped")),
      Number("swap_end", &Recipe::swap_end, 0.01, 1, "share of joint training after which no block is swapped"),
      Choice<Shape>("swap_shape", &Recipe::swap_shape,
                    {{"constant", Shape::kConstant}, {"linear", Shape::kLinear}, {"cosine", Shape::kCosine}},
                    "how the probability changes between swap_begin and swap_end"),
      Later(Choice<ScheduleCourse>("swap_course", &Recipe::swap_course,
                                   {{"falling", ScheduleCourse::kFalling}, {"rising", ScheduleCourse::kRising}},
                                   "from swap to swap_low, or from swap_low to swap")),
      Later(Whole("swap_cycles", &Recipe::swap_cycles, 1, 1000, "number of times that the course is run: restarts")),
      Number("kure", &Recipe::kure, 0, 1000, "weight of (kurtosis - 1.8)^2"),
      Number("skew", &Recipe::skew, 0, 1000, "weight of skewness^2"),
      Number("sign_window", &Recipe::sign_window, 0, 100,
             "in mean magnitudes: larger weights get no gradient from a sign; 0: all weights get one"),
      Number("sign_gain", &Recipe::sign_gain, 0, 1000, "factor of the loss of points with one-bit weights"),
      Number("sign_margin", &Recipe::sign_margin, 0, 100,
             "in steps: one-bit activations also pass gradients this far beyond their range"),
      Choice<Combination>(
          "gradients", &Recipe::gradients,
          {{"sum", Combination::kSum}, {"mean", Combination::kMean}, {"mean-shared", Combination::kMeanShared}},
          "how gradients of the points of a step are combined; mean-shared: those of shared parameters "
          "as mean, those of a point's own batch norm and activation steps as sum"),
      Number("step_rate", &Recipe::step_rate, 0, 10,
             "learning rate of activation steps and learned scales, as a factor of the weights' rate"),
      Number("scale_decades", &Recipe::scale_decades, 0, 4, "decades by which that factor falls per bit below 8"),
  };
  return *fields;
}

absl::Status SetField(Recipe& recipe, absl::string_view item) {
  const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(item, absl::MaxSplits('=', 1));
  if (pair.first.size() == item.size()) {
    return absl::InvalidArgumentError(absl::StrCat("recipe: '", item, "' is not key=value"));
  }
  const absl::string_view key = absl::StripAsciiWhitespace(pair.first), value = absl::StripAsciiWhitespace(pair.second);
  if (key == "scale_clip") {  // a short form for both keys of Scale-Clip
    if (absl::Status status = SetField(recipe, "weights=scale-clip"); !status.ok()) return status;
    return SetField(recipe, absl::StrCat("reach=", value));
  }
  std::vector<std::string> known;
  for (const Field& field : Fields()) {
    known.push_back(field.key);
    if (field.key != key) continue;
    if (field.set(recipe, value)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("recipe: ", key, "=", value, " is not one of ", field.values));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("recipe: unknown key '", key, "'; known: ", absl::StrJoin(known, ", "), ", scale_clip"));
}

void FillReach(Recipe& recipe) {
  if (recipe.reach == 0) recipe.reach = recipe.weights == WeightRule::kScaleClip ? 2 : 2.5;
}

absl::StatusOr<Recipe> RowByName(absl::string_view name) {
  for (const Recipe& row : Rows()) {
    if (row.name == name) return row;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown recipe '", name, "'; known: ", RecipeNames()));
}

absl::Status CheckSchedules(const Recipe& recipe) {
  const auto ordered = [](const char* low, double below, const char* high, double above) {
    if (below <= above) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("recipe: ", low, "=", below, " is above ", high, "=", above));
  };
  for (const absl::Status& status :
       {ordered("swap_low", recipe.swap_low, "swap", recipe.swap),
        ordered("swap_begin", recipe.swap_begin, "swap_end", recipe.swap_end),
        ordered("distill_begin", recipe.distill_begin, "distill_end", recipe.distill_end)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

bool LearnsFromFrozen(const Recipe& recipe) {
  return recipe.logits == TeacherLogits::kFrozen && recipe.loss != LossRule::kLabels;
}

absl::StatusOr<Recipe> ParseRecipe(absl::string_view text) {
  const std::vector<absl::string_view> items = absl::StrSplit(text, ',');
  absl::StatusOr<Recipe> recipe = RowByName(absl::StripAsciiWhitespace(items[0]));
  if (!recipe.ok()) return recipe;
  for (size_t i = 1; i < items.size(); ++i) {
    if (absl::Status status = SetField(*recipe, absl::StripAsciiWhitespace(items[i])); !status.ok()) return status;
  }
  FillReach(*recipe);
  if (recipe->swap > 0 && recipe->teacher == TeacherRule::kNone) {
    return absl::InvalidArgumentError(absl::StrCat(
        "recipe: swap=", recipe->swap, " needs a teacher to take blocks from, but teacher=none; set swap=0"));
  }
  if (absl::Status status = CheckSchedules(*recipe); !status.ok()) return status;
  if (recipe->loss == LossRule::kSoft && recipe->teacher == TeacherRule::kNone && !LearnsFromFrozen(*recipe)) {
    return absl::InvalidArgumentError("recipe: loss=soft learns from a teacher, but teacher=none; set loss=labels");
  }
  if (recipe->logits == TeacherLogits::kFrozen && recipe->loss == LossRule::kLabels) {
    return absl::InvalidArgumentError("recipe: logits=frozen has no effect with loss=labels; set loss=both");
  }
  if (recipe->activation_decay > 0 && recipe->activations != ActivationRule::kPact) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: activation_decay=", recipe->activation_decay, " applies only to activations=pact"));
  }
  if (!recipe->joint && recipe->teacher != TeacherRule::kNone) {
    return absl::InvalidArgumentError(
        "recipe: joint=0 trains each point by itself, without a teacher; set teacher=none");
  }
  return recipe;
}

std::string RecipeText(const Recipe& recipe) {
  Recipe row = *RowByName(recipe.name);
  std::string text = recipe.name;
  for (const Field& field : Fields()) {
    // The default of the reach depends on the weight rule.
    if (field.key == "reach") {
      row.weights = recipe.weights;
      FillReach(row);
    }
    if (field.get(recipe) != field.get(row)) absl::StrAppend(&text, ",", field.key, "=", field.get(recipe));
  }
  return text;
}

std::string WholeRecipeText(const Recipe& recipe) {
  std::string text = recipe.name;
  for (const Field& field : Fields()) {
    if (field.later && field.get(recipe) == field.get(Recipe())) continue;
    absl::StrAppend(&text, ",", field.key, "=", field.get(recipe));
  }
  return text;
}

std::string RecipeNames() {
  return absl::StrJoin(Rows(), ", ", [](std::string* out, const Recipe& row) { out->append(row.name); });
}

std::string RecipeKeys() {
  std::string text;
  for (const Field& field : Fields()) absl::StrAppend(&text, field.key, "=", field.values, "  ", field.meaning, "\n");
  absl::StrAppend(&text, "scale_clip=K  weights=scale-clip,reach=K\n");
  return text;
}

}  // namespace anybit::model::train
