#include "model/train/trainer/training_steps.h"

#include <ATen/Context.h>
#include <torch/torch.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/format/full_precision_point.h"
#include "model/train/network/losses.h"
#include "model/train/network/synchronized_batch_norm.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/recipe.h"
#include "model/train/recipe/teacher.h"
#include "model/train/trainer/parameter_groups.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/stop_request.h"
#include "model/train/trainer/thrown_status.h"

namespace anybit::model::train {
namespace {

TrainableNetwork MakeNetwork(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                             const TrainerOptions& options) {
  TrainableNetwork network(spec, WithStart(points), options.recipe, options.seed);
  network->to(torch::Device(options.device));
  if (options.bfloat16_backward) network->RoundBackward();
  return network;
}

}  // namespace

TrainingSteps::TrainingSteps(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                             const ExampleSet& training, const TrainerOptions& options)
    : options_(options),
      network_(MakeNetwork(spec, points, options)),
      points_(network_->points()),
      results_(points.size()),
      highest_first_(HighestFirst(points)),
      start_point_(*FindFullPrecision(points_)),
      batches_(ValueOf(TrainingBatches::Create(training, options_))),
      frozen_(LearnsFromFrozen(options.recipe) ? std::make_unique<FrozenTeacher>(spec, points_[start_point_], options_)
                                               : nullptr),
      passes_(network_, frozen_.get(), options_),
      optimizer_(options.sgd ? OptimizerKind::kSgd : OptimizerKind::kAdamW, options.momentum,
                 ParameterGroups(*network_, options.recipe, options.weight_decay)),
      average_(network_->parameters(), options.ema),
      losses_(points_.size(), torch::Device(options.device)) {
  // TF32 would round the codes that convolutions multiply to ten bits.
  at::globalContext().setAllowTF32CuDNN(false);
  // The same seed gives the same result on a GPU too.
  at::globalContext().setDeterministicCuDNN(true);
  if (options.threads > 0) torch::set_num_threads(options.threads);
  std::iota(results_.begin(), results_.end(), 0);
}

void TrainingSteps::AdoptStart() {
  const Artifact& start = *options_.start;
  const auto from = static_cast<int>(FullPrecisionPoint(start) - start.points.data());
  network_->StartFrom(start, from, start_point_, ValueOf(batches_.WholeImagesAt(0)));
  average_.Reset();
}

std::vector<PointPass> TrainingSteps::Run(int64_t step, const TensorBatch& batch, double learning_rate, bool measured) {
  const Recipe& recipe = options_.recipe;
  if (step == options_.start_steps) StartJointPhase();
  optimizer_.ClearGradients();
  std::vector<PointPass> passes = passes_.Run(step, PointsDue(step), batch, measured);
  for (const PointPass& pass : passes) losses_.Add(pass.point, pass.routed_loss);
  network_->PullBackGradients();
  if (recipe.gradients == Combination::kMeanShared) {
    for (const torch::Tensor& parameter : network_->shared()) {
      if (parameter.grad().defined()) parameter.mutable_grad().div_(static_cast<double>(passes.size()));
    }
  }
  if ((recipe.kure > 0 || recipe.skew > 0) && step >= options_.start_steps) {
    ShapePenalty(network_->inner_weights(), recipe.kure, recipe.skew).backward();
  }
  if (options_.group != nullptr) CombineGradients();
  optimizer_.Step(learning_rate);
  network_->KeepInRange();
  network_->WeightsChanged();
  average_.Update(step < options_.start_steps ? step : step - options_.start_steps);
  return passes;
}

StepRecord TrainingSteps::RecordOf(int64_t step, double learning_rate, const std::vector<PointPass>& passes) const {
  StepRecord record{.step = step + 1, .joint = step >= options_.start_steps, .learning_rate = learning_rate};
  for (const PointPass& pass : passes) {
    PointRecord& point = record.points.emplace_back(PointRecord{.point = points_[pass.point].name,
                                                                .loss = pass.routed_loss.item<double>(),
                                                                .gradient_norm = pass.measures->gradient_norm});
    if (pass.teacher != kNoTeacher) point.teacher = points_[pass.teacher].name;
    if (points_[pass.point].full_precision) continue;
    point.saturated = pass.measures->saturated;
    point.activation_steps = network_->activation_steps(pass.point);
  }
  return record;
}

// Highest precision first: a teacher runs before its students.
std::vector<PointIndex> TrainingSteps::PointsDue(int64_t step) const {
  if (step < options_.start_steps) return {start_point_};
  std::vector<PointIndex> due;
  for (PointIndex point : highest_first_) {
    if ((step + point) % points_[point].interval == 0) due.push_back(point);
  }
  return due;
}

// Makes the gradients those of the whole batch, whose loss is the mean of the processes' losses. LSQ scales the
// gradient of a step by 1 / sqrt(elements), and a process has only its share of the elements.
void TrainingSteps::CombineGradients() {
  Check(AverageGradients(*options_.group, network_->parameters()));
  if (options_.recipe.activations != ActivationRule::kLearnedStep) return;
  const double factor = std::sqrt(static_cast<double>(options_.processes()));
  for (const torch::Tensor& step : network_->steps()) {
    if (step.grad().defined()) step.mutable_grad().div_(factor);
  }
}

void TrainingSteps::StartJointPhase() {
  if (frozen_ != nullptr) frozen_->Adopt(network_);
  network_->SpreadBatchNorm(start_point_);
  network_->ResetScales();
  // The optimizer scales a step by the gradients that it remembers. Those of the start would make recipes with larger
  // gradients learn faster.
  optimizer_.Reset();
  const torch::Tensor images = ValueOf(batches_.WholeImagesAt(options_.start_steps));
  for (size_t p = 0; p < points_.size(); ++p) {
    if (!points_[p].full_precision) network_->CalibrateSteps(static_cast<PointIndex>(p), images);
  }
  average_.Reset();
}

bool TrainingSteps::BecomeResult(std::ostream& out) {
  if (options_.ema > 0) {
    average_.Apply();
    network_->WeightsChanged();
  }
  if (options_.norm_batches == 0) return true;
  // Without synchronization each process has followed the activations of its own images.
  if (options_.group != nullptr && !options_.sync_norm) Check(options_.group->Broadcast(network_->buffers()));
  network_->SynchronizeNorms(options_.group);
  std::vector<torch::Tensor> images;
  const int64_t total_steps = options_.start_steps + options_.joint_steps;
  for (int64_t i = 0; i < options_.norm_batches; ++i) {
    images.push_back(ValueOf(batches_.At(total_steps + i)).images.cpu());
  }
  bool stopped = false;
  for (PointIndex point : results_) {
    stopped = ValueOf(StopRequested(options_));
    if (stopped) break;
    out << "batch norm of " << points_[point].name << "\n";
    network_->EstimateNorms(point, images);
  }
  SynchronizeNorms();
  return !stopped;
}

void TrainingSteps::SynchronizeNorms() {
  ProcessGroup* const group = options_.sync_norm ? options_.group : nullptr;
  network_->SynchronizeNorms(group);
  if (group != nullptr && frozen_ != nullptr) frozen_->SynchronizeNorms(group);
}

NamedTensors TrainingSteps::State() {
  NamedTensors state = NetworkState(network_);
  for (const auto& [name, tensor] : optimizer_.State()) state.emplace_back("optimizer." + name, tensor);
  for (size_t i = 0; i < average_.tensors().size(); ++i) {
    state.emplace_back(absl::StrCat("average.", i), average_.tensors()[i]);
  }
  state.emplace_back("losses", losses_.tensor());
  if (frozen_ == nullptr) return state;
  for (const auto& [name, tensor] : frozen_->State()) state.emplace_back(name, tensor);
  return state;
}

void TrainingSteps::StateChanged() {
  network_->WeightsChanged();
  if (frozen_ != nullptr) frozen_->StateChanged();
}

}  // namespace anybit::model::train
