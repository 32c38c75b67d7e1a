#include "model/train/trainer/learning_rate_range.h"

#include <torch/types.h>

#include "absl/strings/str_format.h"
#include "model/train/trainer/caught_status.h"
#include "model/train/trainer/progress.h"
#include "model/train/trainer/thrown_status.h"
#include "model/train/trainer/training_steps.h"

namespace anybit::model::train {
namespace {

RangeCurve Run(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& training,
               const TrainerOptions& options, const RateRange& range, std::ostream& progress, bool live) {
  TrainingSteps steps(spec, points, training, options);
  if (options.start != nullptr) steps.AdoptStart();
  if (options.group != nullptr) steps.SynchronizeNorms();
  ProgressLine line(progress, live, options.progress_interval, range.steps, /*done=*/0);
  RangeCurve curve(range);
  for (int64_t step = 0; step < range.steps; ++step) {
    const TensorBatch batch = ValueOf(steps.BatchAt(step));
    double loss = 0;
    const std::vector<PointPass> passes = steps.Run(step, batch, range.At(step), /*measured=*/false);
    for (const PointPass& pass : passes) loss += pass.routed_loss.item<double>() / static_cast<double>(passes.size());
    curve.Add(loss);
    line.Show(step + 1, [&] { return absl::StrFormat("rate %.3g loss %.3f", range.At(step), loss); });
    if (curve.Divergence().has_value()) break;
  }
  return curve;
}

}  // namespace

absl::StatusOr<RangeCurve> TestRange(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                     const ExampleSet& examples, const TrainerOptions& options, const RateRange& range,
                                     std::ostream& progress, bool live) {
  const bool joint = options.start_steps == 0;
  const std::vector<PointRecipe> tested = joint ? points : *ParsePoints("fp32");
  TrainerOptions brief = options;
  brief.start_steps = joint ? 0 : range.steps;
  brief.joint_steps = joint ? range.steps : 0;
  brief.checkpoint.clear();
  brief.keep_best.clear();
  brief.resume = false;
  if (absl::Status status = CheckOptions(spec, tested, examples, brief); !status.ok()) return status;
  const HeldOutSplit split = HoldOut(examples, options.held_out);
  return CatchStatus(brief.device, [&] { return Run(spec, tested, split.training, brief, range, progress, live); });
}

}  // namespace anybit::model::train
