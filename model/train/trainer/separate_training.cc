#include "model/train/trainer/separate_training.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/trainer.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {

absl::StatusOr<std::vector<TrainingResult>> TrainSeparately(const NetworkSpec& spec,
                                                            const std::vector<PointRecipe>& points,
                                                            const ExampleSet& examples, const TrainerOptions& options,
                                                            std::ostream& progress, bool live) {
  TrainerOptions alone = options;
  const auto name_files = [&](const std::string& point) {
    if (!options.checkpoint.empty()) alone.checkpoint = absl::StrCat(options.checkpoint, ".", point);
    if (!options.step_log.empty()) alone.step_log = absl::StrCat(options.step_log, ".", point);
    if (!options.tensorboard.empty()) alone.tensorboard = absl::StrCat(options.tensorboard, "/", point);
  };
  std::optional<Artifact> start;
  for (const PointRecipe& point : points) {
    if (absl::Status status = CheckIsDue(point, options.joint_steps); !status.ok()) return status;
  }
  if (options.start_steps > 0) {
    progress << "the shared start\n";
    alone.joint_steps = 0;
    alone.keep_best.clear();
    name_files(kStartName);
    absl::StatusOr<TrainingResult> trained = Train(spec, *ParsePoints("fp32"), examples, alone, progress, live);
    if (!trained.ok()) return trained.status();
    start = std::move(trained->artifact);
    alone.start = &*start;
    alone.first_batch = options.start_steps;
    alone.start_steps = 0;
  }
  // Of one point the mean is the accuracy of that point.
  if (!options.keep_best.empty()) alone.keep_best = kMeanOfPoints;
  std::vector<TrainingResult> results;
  for (PointRecipe point : points) {
    progress << point.name << " alone\n";
    alone.joint_steps = options.joint_steps / point.interval;
    point.interval = 1;
    name_files(point.name);
    absl::StatusOr<TrainingResult> result = Train(spec, {point}, examples, alone, progress, live);
    if (!result.ok()) return result.status();
    results.push_back(*std::move(result));
  }
  return results;
}

}  // namespace anybit::model::train
