#include "model/train/trainer/training_passes.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>

#include "model/train/network/losses.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/teacher.h"
#include "model/train/trainer/gradient_meter.h"
#include "model/train/trainer/thrown_status.h"

namespace anybit::model::train {
namespace {

constexpr double kStatisticsMomentum = 0.1;  // of batch norm's running statistics; PyTorch's default

}  // namespace

TrainingPasses::TrainingPasses(TrainableNetwork network, FrozenTeacher* frozen, const TrainerOptions& options)
    : options_(options),
      recipe_(options.recipe),
      network_(std::move(network)),
      frozen_(frozen),
      points_(network_->points()),
      blocks_(SwappableBlocks(network_->plan())),
      teachers_(recipe_, points_, options.seed, options.group),
      counts_(points_.size()) {}

std::vector<PointPass> TrainingPasses::Run(int64_t step, std::span<const PointIndex> due, const TensorBatch& batch,
                                           bool measured) {
  const double count = static_cast<double>(due.size());
  const bool joint = step >= options_.start_steps;
  const double progress =
      joint ? static_cast<double>(step - options_.start_steps) / static_cast<double>(options_.joint_steps) : 0;
  const bool distills = joint && Distills(recipe_, progress);
  const Step shared{.index = step,
                    .swap = joint ? SwapProbability(recipe_, progress) : 0,
                    .distills = distills,
                    .divisor = recipe_.gradients == Combination::kMean ? count : 1,
                    .last = due.back(),
                    .frozen = distills && frozen_ != nullptr ? frozen_->Logits(batch.images) : torch::Tensor(),
                    .batch = batch};
  std::vector<PointPass> done;
  GradientMeter gradients;
  for (const PointIndex point : due) {
    Saturation saturation;
    network_->CountSaturation(measured ? &saturation : nullptr);
    done.push_back(RunPass(shared, point, done));
    if (!measured) continue;
    done.back().measures = {.gradient_norm = gradients.Added(network_->gradient_holders()),
                            .saturated = saturation.Share()};
  }
  network_->CountSaturation(nullptr);
  return done;
}

PointPass TrainingPasses::RunPass(const Step& step, PointIndex point, std::span<const PointPass> done) {
  const torch::Tensor& images = step.batch.images;
  torch::Tensor logits;
  torch::Tensor pure;  // logits without swapped blocks, where they are known
  if (recipe_.teacher == TeacherRule::kClosest && step.swap == 0) {
    logits = network_->Forward(point, images, kStatisticsMomentum);
    pure = logits.detach();
  } else if (recipe_.teacher == TeacherRule::kClosest && !done.empty()) {
    // The rule compares them, and the teacher must be known before its blocks are swapped in.
    pure = PureLogits(point, images);
  }
  // The teacher gives the student its logits, its blocks, or both.
  const bool teachable = !done.empty() && (step.swap > 0 || (step.distills && frozen_ == nullptr));
  const PointPass* teacher = teachable ? ValueOf(teachers_.Choose(step.index, point, done, pure)) : nullptr;
  if (teacher != nullptr) counts_.Add(point, teacher->point);
  Route route;
  if (!logits.defined()) {
    if (teacher != nullptr && step.swap > 0) {
      route = SwapBlocks(network_->plan(), blocks_, point, teacher->point, step.swap, options_.seed, step.index);
    }
    logits = network_->Forward(point, images, kStatisticsMomentum, route);
  }
  const torch::Tensor label_loss = BatchLoss(logits, step.batch);
  const torch::Tensor loss = PassLoss(recipe_, label_loss, logits, TargetOf(step, point, teacher));
  (loss * ((points_[point].weights.sign ? recipe_.sign_gain : 1) / step.divisor)).backward();
  PointPass pass{.point = point,
                 .logits = logits.detach(),
                 .routed_loss = ValueOf(MeanOverGroup(options_.group, label_loss)),
                 .teacher = teacher == nullptr ? kNoTeacher : teacher->point};
  pass.label_loss = pass.routed_loss;
  const bool swapped = std::any_of(route.begin(), route.end(), [&](PointIndex at) { return at != point; });
  if (recipe_.logits == TeacherLogits::kPure && swapped && point != step.last) {
    pass.logits = pure.defined() ? pure : PureLogits(point, images);
    pass.label_loss = ValueOf(MeanOverGroup(options_.group, BatchLoss(pass.logits, step.batch)));
  }
  return pass;
}

torch::Tensor TrainingPasses::TargetOf(const Step& step, PointIndex point, const PointPass* teacher) const {
  constexpr int kAllPoints = 8;  // of distill_bits; see Recipe
  const bool learns = recipe_.distill_bits == kAllPoints || points_[point].weight_bits <= recipe_.distill_bits;
  if (!step.distills || !learns) return {};
  if (frozen_ != nullptr) return step.frozen;
  return teacher == nullptr ? torch::Tensor() : teacher->logits;
}

torch::Tensor TrainingPasses::PureLogits(PointIndex point, const torch::Tensor& images) {
  torch::NoGradGuard no_gradient;
  return network_->Forward(point, images, /*momentum=*/0);
}

torch::Tensor TrainingPasses::BatchLoss(const torch::Tensor& logits, const TensorBatch& batch) const {
  const torch::Tensor loss = LabelLoss(logits, batch.labels, options_.label_smoothing);
  if (!batch.other_labels.defined()) return loss;
  return batch.share * loss + (1 - batch.share) * LabelLoss(logits, batch.other_labels, options_.label_smoothing);
}

}  // namespace anybit::model::train
