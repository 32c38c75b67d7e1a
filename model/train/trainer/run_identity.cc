#include "model/train/trainer/run_identity.h"

#include "absl/strings/str_cat.h"
#include "base/hash.h"
#include "model/data/augmentation.h"
#include "model/format/artifact.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {
namespace {

uint64_t FingerprintOfWeights(const Artifact& artifact) {
  uint64_t hash = kFnv1aOfNothing;
  for (const LayerStore& layer : artifact.store) {
    hash = Fnv1a({reinterpret_cast<const char*>(layer.full.data()), 4 * layer.full.size()}, hash);
  }
  return hash;
}

// Two data sets differ in their labels or in the labels' order; hashing pixels would read every image.
uint64_t FingerprintOfLabels(const ExampleSet& examples) {
  uint64_t hash = kFnv1aOfNothing;
  for (int64_t i = 0; i < examples.count(); ++i) {
    const int label = examples.label(i);
    const char bytes[] = {static_cast<char>(label & 255), static_cast<char>(label >> 8)};
    hash = Fnv1a({bytes, 2}, hash);
  }
  return hash;
}

std::string ScheduleText(const TrainerOptions& options) {
  std::string text = absl::StrCat(
      "start ", options.start_steps, " joint ", options.joint_steps, " batch ", options.batch, " x ",
      options.processes(), options.group != nullptr && !options.sync_norm ? " own norms" : "",
      options.sgd ? " sgd " : " adamw ", options.sgd ? options.momentum : 0, " rate ", options.learning_rate, " then ",
      options.joint_learning_rate, " decay ", options.weight_decay, " smoothing ", options.label_smoothing, " ema ",
      options.ema, " held out ", options.held_out, " seed ", options.seed);
  if (options.bfloat16_backward) absl::StrAppend(&text, " gradients in bfloat16");
  if (options.first_batch > 0) absl::StrAppend(&text, " first batch ", options.first_batch);
  if (!options.keep_best.empty()) {
    absl::StrAppend(&text, " best by ", options.keep_best, " every ", options.evaluation_interval, " with norms of ",
                    options.norm_batches);
  }
  if (options.start != nullptr) absl::StrAppend(&text, " from ", absl::Hex(FingerprintOfWeights(*options.start)));
  return text;
}

std::string PointsText(const std::vector<PointRecipe>& points) {
  std::string text;
  for (const PointRecipe& p : points) {
    absl::StrAppend(&text, " ", p.name, " ", p.weights.step, "/", p.weights.lo, "/", p.weights.hi, "/", p.weights.sign,
                    "/", p.highest_code, "@", p.interval);
  }
  return text;
}

}  // namespace

std::string RunIdentity(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                        const TrainerOptions& options) {
  return absl::StrCat("network ", spec.ShortDebugString(), "; recipe ", WholeRecipeText(options.recipe), "; examples ",
                      examples.count(), " ", absl::Hex(FingerprintOfLabels(examples)), "; augmentation ",
                      ToText(options.augmentation), "; ", ScheduleText(options), "; points", PointsText(points));
}

uint64_t HashIdentity(std::string_view identity) { return Fnv1a(identity); }

}  // namespace anybit::model::train
