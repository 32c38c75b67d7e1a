#include "model/train/trainer/trainer.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/format/full_precision_point.h"
#include "model/train/network/losses.h"
#include "model/train/network/synchronized_batch_norm.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/learning_rate.h"
#include "model/train/recipe/teacher.h"
#include "model/train/trainer/accuracy.h"
#include "model/train/trainer/frozen_teacher.h"
#include "model/train/trainer/loss_averages.h"
#include "model/train/trainer/network_state.h"
#include "model/train/trainer/optimizer.h"
#include "model/train/trainer/parameter_groups.h"
#include "model/train/trainer/progress.h"
#include "model/train/trainer/run_checkpoint.h"
#include "model/train/trainer/run_identity.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/step_log.h"
#include "model/train/trainer/stop_request.h"
#include "model/train/trainer/thrown_status.h"
#include "model/train/trainer/training_batches.h"
#include "model/train/trainer/training_passes.h"
#include "model/train/trainer/weight_average.h"

namespace anybit::model::train {
namespace {

TrainableNetwork MakeNetwork(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                             const TrainerOptions& options) {
  TrainableNetwork network(spec, WithStart(points), options.recipe, options.seed);
  network->to(torch::Device(options.device));
  if (options.bfloat16_backward) network->RoundBackward();
  return network;
}

LearningRate RateOf(const TrainerOptions& options) {
  return {.peak = options.learning_rate,
          .joint_peak = options.joint_learning_rate > 0 ? options.joint_learning_rate : options.learning_rate,
          .start_steps = options.start_steps,
          .joint_steps = options.joint_steps};
}

class TrainingRun {
 public:
  TrainingRun(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
              const TrainerOptions& options, std::ostream& progress, bool live)
      : options_(options),
        recipe_(options.recipe),
        total_steps_(options.start_steps + options.joint_steps),
        rate_(RateOf(options)),
        identity_(RunIdentity(spec, points, examples, options)),
        progress_(progress),
        live_(live),
        network_(MakeNetwork(spec, points, options)),
        points_(network_->points()),
        results_(points.size()),
        highest_first_(HighestFirst(points)),
        start_point_(*FindFullPrecision(points_)),
        split_(HoldOut(examples, options.held_out)),
        batches_(ValueOf(TrainingBatches::Create(split_.training, options_))),
        frozen_(LearnsFromFrozen(recipe_) ? std::make_unique<FrozenTeacher>(spec, points_[start_point_], options_)
                                          : nullptr),
        passes_(network_, frozen_.get(), options_),
        optimizer_(options.sgd ? OptimizerKind::kSgd : OptimizerKind::kAdamW, options.momentum,
                   ParameterGroups(*network_, recipe_, options.weight_decay)),
        average_(network_->parameters(), options.ema),
        losses_(points_.size(), torch::Device(options.device)),
        checkpoint_(options.checkpoint, identity_, options.resume) {
    // TF32 would round the codes that convolutions multiply to ten bits.
    at::globalContext().setAllowTF32CuDNN(false);
    // The same seed gives the same result on a GPU too.
    at::globalContext().setDeterministicCuDNN(true);
    if (options.threads > 0) torch::set_num_threads(options.threads);
    std::iota(results_.begin(), results_.end(), 0);
  }

  TrainingResult Run() {
    const int64_t first = FirstStep();
    ProgressLine line(progress_, live_, options_.progress_interval, total_steps_, first);
    StepLog log(options_.rank() == 0 ? options_.step_log : "", /*appends=*/first > 0, options_.step_log_interval,
                total_steps_, first, options_.batch * options_.processes());
    for (int64_t step = first; step < total_steps_;) {
      const TensorBatch batch = BatchOrSave(step, first);
      if (step == options_.start_steps) StartJointPhase();
      const std::vector<PointPass> passes = TrainStep(step, batch, log.IsDue(step + 1));
      if (log.IsDue(step + 1)) Check(log.Write(RecordOf(step, passes)));
      ++step;
      line.Show(step, [this] { return losses_.Text(points_); });
      const bool stopped = ValueOf(StopRequested(options_));
      if (stopped || step % options_.checkpoint_interval == 0 || step == total_steps_) {
        Check(CheckFinite(NetworkState(network_), step));
        Save(step);
      }
      if (stopped) Check(Stopped(step));
      if (IsEvaluationDue(step)) line.Say(EvaluationText(step));
    }
    return Result();
  }

 private:
  // The number of finished steps, with the network in the state after them, the same in all processes.
  int64_t FirstStep() {
    int64_t step = options_.resume && options_.rank() == 0 ? Load() : 0;
    if (step == 0 && options_.start != nullptr) AdoptStart();
    if (options_.group != nullptr) step = JoinGroup(step);
    return step;
  }

  // Forward and backward at each point that is due, then one step of the optimizer.
  std::vector<PointPass> TrainStep(int64_t step, const TensorBatch& batch, bool measured) {
    optimizer_.ClearGradients();
    std::vector<PointPass> passes = passes_.Run(step, PointsDue(step), batch, measured);
    for (const PointPass& pass : passes) losses_.Add(pass.point, pass.routed_loss);
    network_->PullBackGradients();
    if (recipe_.gradients == Combination::kMeanShared) {
      for (const torch::Tensor& parameter : network_->shared()) {
        if (parameter.grad().defined()) parameter.mutable_grad().div_(static_cast<double>(passes.size()));
      }
    }
    if ((recipe_.kure > 0 || recipe_.skew > 0) && step >= options_.start_steps) {
      ShapePenalty(network_->inner_weights(), recipe_.kure, recipe_.skew).backward();
    }
    if (options_.group != nullptr) CombineGradients();
    optimizer_.Step(rate_.At(step));
    network_->KeepInRange();
    network_->WeightsChanged();
    average_.Update(step < options_.start_steps ? step : step - options_.start_steps);
    return passes;
  }

  // Of the measured `passes` of `step`, which is finished.
  StepRecord RecordOf(int64_t step, const std::vector<PointPass>& passes) const {
    StepRecord record{.step = step + 1, .joint = step >= options_.start_steps, .learning_rate = rate_.At(step)};
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

  // The points of a step, highest precision first: a teacher runs before its students.
  std::vector<PointIndex> PointsDue(int64_t step) const {
    if (step < options_.start_steps) return {start_point_};
    std::vector<PointIndex> due;
    for (PointIndex point : highest_first_) {
      if ((step + point) % points_[point].interval == 0) due.push_back(point);
    }
    return due;
  }

  // Makes the gradients those of the whole batch, whose loss is the mean of the processes' losses. LSQ scales the
  // gradient of a step by 1 / sqrt(elements), and a process has only its share of the elements.
  void CombineGradients() {
    Check(AverageGradients(*options_.group, network_->parameters()));
    if (recipe_.activations != ActivationRule::kLearnedStep) return;
    const double factor = std::sqrt(static_cast<double>(options_.processes()));
    for (const torch::Tensor& step : network_->steps()) {
      if (step.grad().defined()) step.mutable_grad().div_(factor);
    }
  }

  void AdoptStart() {
    const Artifact& start = *options_.start;
    const auto from = static_cast<int>(FullPrecisionPoint(start) - start.points.data());
    network_->StartFrom(start, from, start_point_, ValueOf(batches_.WholeImagesAt(0)));
    average_.Reset();
  }

  void StartJointPhase() {
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

  TrainingResult Result() {
    if (options_.ema > 0) {
      average_.Apply();
      network_->WeightsChanged();
    }
    ReestimateNorms();
    Artifact artifact = network_->Export(results_);
    if (options_.rank() == 0) Check(MeasureAccuracies(artifact, split_.held_out, options_.stop));
    if (ValueOf(StopRequested(options_))) Check(Stopped(total_steps_));
    progress_ << passes_.teachers().Text(points_);
    return {.artifact = std::move(artifact), .teachers = passes_.teachers()};
  }

  // From `norm_batches` batches, with the final weights.
  void ReestimateNorms() {
    if (options_.norm_batches == 0) return;
    // Without synchronization each process has followed the activations of its own images.
    if (options_.group != nullptr && !options_.sync_norm) Check(options_.group->Broadcast(network_->buffers()));
    network_->SynchronizeNorms(options_.group);
    std::vector<torch::Tensor> images;
    for (int64_t i = 0; i < options_.norm_batches; ++i) {
      images.push_back(ValueOf(batches_.At(total_steps_ + i)).images.cpu());
    }
    for (PointIndex point : results_) {
      if (ValueOf(StopRequested(options_))) Check(Stopped(total_steps_));
      progress_ << "batch norm of " << points_[point].name << "\n";
      network_->EstimateNorms(point, images);
    }
  }

  bool IsEvaluationDue(int64_t step) const {
    return options_.evaluation_interval > 0 && step % options_.evaluation_interval == 0 && step != total_steps_ &&
           options_.rank() == 0;
  }

  // With the running statistics of training (see TrainableNetwork::EstimateNorms): an intermediate look, which may be
  // percentage points below the result at few bits.
  std::string EvaluationText(int64_t step) {
    Artifact artifact = network_->Export(results_);
    Check(MeasureAccuracies(artifact, split_.held_out, /*stop=*/nullptr));
    return absl::StrCat("step ", step, " held-out ", AccuracyText(artifact));
  }

  // Names and tensors of everything that a later step depends on.
  NamedTensors State() {
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

  // Drops values computed from the tensors of State, which have changed.
  void StateChanged() {
    network_->WeightsChanged();
    if (frozen_ != nullptr) frozen_->StateChanged();
  }

  // Saved with the state, but no later step depends on it and early checkpoints lack it.
  NamedTensors Counts() { return {{"teachers", passes_.teachers().tensor()}}; }

  int64_t Load() {
    const absl::StatusOr<int64_t> step = checkpoint_.Load(State(), Counts());
    if (absl::IsNotFound(step.status())) {
      progress_ << "no checkpoint '" << checkpoint_.path() << "' yet: from the first step\n";
      return 0;
    }
    Check(step.status());
    StateChanged();
    return *step;
  }

  void Save(int64_t step) {
    if (options_.rank() != 0) return;
    NamedTensors all = State();
    for (const auto& [name, tensor] : Counts()) all.emplace_back(name, tensor);
    const std::string kept = ValueOf(checkpoint_.Save(step, all));
    if (kept.empty()) return;
    progress_ << (live_ ? "\r\033[K" : "") << "an earlier checkpoint is kept as '" << kept << "'\n";
  }

  // The batch of `step`. A row that cannot be read ends the run; the steps since `first` are saved before.
  TensorBatch BatchOrSave(int64_t step, int64_t first) {
    absl::StatusOr<TensorBatch> batch = batches_.At(step);
    if (!batch.ok() && step > first) Save(step);
    return ValueOf(std::move(batch));
  }

  // Gives all processes the state of the first, which alone needs the checkpoint. Returns the first one's `step`.
  int64_t JoinGroup(int64_t step) {
    const auto own = static_cast<int64_t>(HashIdentity(identity_));
    const torch::Tensor first = torch::tensor({step, own}, torch::kInt64).to(torch::Device(options_.device));
    Check(options_.group->Broadcast({first}));
    if (first[1].item<int64_t>() != own) {
      Check(absl::InvalidArgumentError(absl::StrCat(
          "process ", options_.rank(), " was started for another run than process 0: this one is [", identity_, "]")));
    }
    std::vector<torch::Tensor> tensors;
    for (const auto& [name, tensor] : State()) tensors.push_back(tensor);
    Check(options_.group->Broadcast(tensors));
    StateChanged();
    if (options_.sync_norm) network_->SynchronizeNorms(options_.group);
    if (options_.sync_norm && frozen_ != nullptr) frozen_->SynchronizeNorms(options_.group);
    return first[0].item<int64_t>();
  }

  absl::Status Stopped(int64_t step) const {
    return absl::CancelledError(absl::StrCat(
        "stopped after step ", step, " of ", total_steps_, ", ",
        options_.checkpoint.empty() ? "nothing saved" : absl::StrCat("saved in '", options_.checkpoint, "'")));
  }

  // Fixed at construction.
  const TrainerOptions options_;
  const Recipe& recipe_;
  const int64_t total_steps_;
  const LearningRate rate_;
  const std::string identity_;
  std::ostream& progress_;
  const bool live_;

  TrainableNetwork network_;
  const std::vector<PointRecipe>& points_;       // the results, and behind them the start if it is none of them
  std::vector<PointIndex> results_;              // the points of the artifact
  const std::vector<PointIndex> highest_first_;  // the results
  const PointIndex start_point_;

  const HeldOutSplit split_;
  TrainingBatches batches_;
  const std::unique_ptr<FrozenTeacher> frozen_;  // null where no point learns from it
  TrainingPasses passes_;
  Optimizer optimizer_;
  WeightAverage average_;
  LossAverages losses_;
  RunCheckpoint checkpoint_;
};

}  // namespace

absl::StatusOr<TrainingResult> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                     const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                                     bool live) {
  if (absl::Status status = CheckOptions(spec, points, examples, options); !status.ok()) return status;
  try {
    const c10::DeviceGuard device{torch::Device(options.device)};
    return TrainingRun(spec, points, examples, options, progress, live).Run();
  } catch (const absl::Status& status) {
    return status;
  } catch (const GroupFailure& failure) {
    return absl::UnavailableError(failure.what());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

}  // namespace anybit::model::train
