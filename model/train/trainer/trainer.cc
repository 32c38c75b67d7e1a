#include "model/train/trainer/trainer.h"

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/learning_rate.h"
#include "model/train/trainer/accuracy.h"
#include "model/train/trainer/best_network.h"
#include "model/train/trainer/caught_status.h"
#include "model/train/trainer/network_state.h"
#include "model/train/trainer/progress.h"
#include "model/train/trainer/run_checkpoint.h"
#include "model/train/trainer/run_identity.h"
#include "model/train/trainer/stop_request.h"
#include "model/train/trainer/thrown_status.h"
#include "model/train/trainer/training_log.h"
#include "model/train/trainer/training_steps.h"

namespace anybit::model::train {
namespace {

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
        total_steps_(options.start_steps + options.joint_steps),
        rate_(RateOf(options)),
        identity_(RunIdentity(spec, points, examples, options)),
        progress_(progress),
        live_(live),
        split_(HoldOut(examples, options.held_out)),
        steps_(spec, points, split_.training, options_),
        network_(steps_.network()),
        checkpoint_(options.checkpoint, identity_, options.resume) {
    if (!options.keep_best.empty()) best_.emplace(NetworkState(network_));
  }

  TrainingResult Run() {
    const int64_t first = FirstStep();
    ProgressLine line(progress_, live_, options_.progress_interval, total_steps_, first);
    TrainingLog log = ValueOf(TrainingLog::Create(options_, first));
    for (int64_t step = first; step < total_steps_;) {
      if (IsEvaluationDue(step)) line.Say(Evaluate(step, log));
      const TensorBatch batch = BatchOrSave(step, first);
      const double rate = rate_.At(step);
      const std::vector<PointPass> passes = steps_.Run(step, batch, rate, log.IsDue(step + 1));
      if (log.IsDue(step + 1)) Check(log.Write(steps_.RecordOf(step, rate, passes)));
      ++step;
      line.Show(step, [this] { return steps_.LossText(); });
      const bool stopped = ValueOf(StopRequested(options_));
      if (stopped || step % options_.checkpoint_interval == 0 || step == total_steps_) {
        Check(CheckFinite(NetworkState(network_), step));
        Save(step);
      }
      if (stopped) Check(Stopped(step));
    }
    return Result(log);
  }

 private:
  // The number of finished steps, with the network in the state after them, the same in all processes.
  int64_t FirstStep() {
    int64_t step = options_.resume && options_.rank() == 0 ? Load() : 0;
    if (step == 0 && options_.start != nullptr) steps_.AdoptStart();
    if (options_.group != nullptr) step = JoinGroup(step);
    return step;
  }

  TrainingResult Result(TrainingLog& log) {
    if (!steps_.BecomeResult(progress_)) Check(Stopped(total_steps_));
    Artifact artifact = MeasuredArtifact();
    Check(log.WriteAccuracies(total_steps_, artifact));
    int64_t step = total_steps_;
    if (best_.has_value()) {
      if (options_.rank() == 0) Offer(total_steps_, artifact);
      step = best_->step();
      progress_ << "the result is the network after step " << step << " of " << total_steps_ << "\n";
    }
    if (step != total_steps_) {
      best_->CopyInto(NetworkState(network_));
      network_->WeightsChanged();
      artifact = MeasuredArtifact();
    }
    progress_ << steps_.teachers().Text(steps_.points());
    return {.artifact = std::move(artifact), .teachers = steps_.teachers(), .step = step};
  }

  // Of the present network; the first process measures it.
  Artifact MeasuredArtifact() {
    Artifact artifact = steps_.Export();
    if (options_.rank() == 0) Check(MeasureAccuracies(artifact, split_.held_out, options_.stop));
    if (ValueOf(StopRequested(options_))) Check(Stopped(total_steps_));
    return artifact;
  }

  // With best_ all processes take part, and a resumed run evaluates its first network again, which changes nothing: the
  // checkpoint may be older than the evaluation.
  bool IsEvaluationDue(int64_t step) const {
    return step > 0 && options_.evaluation_interval > 0 && step % options_.evaluation_interval == 0 &&
           (options_.rank() == 0 || best_.has_value());
  }

  std::string Evaluate(int64_t step, TrainingLog& log) {
    if (best_.has_value() && step > options_.start_steps) return EvaluateAsResult(step, log);
    // With the running statistics of training (see TrainableNetwork::EstimateNorms): an intermediate look, which may be
    // percentage points below the result at few bits.
    Artifact artifact = steps_.Export();
    if (options_.rank() == 0) Check(MeasureAccuracies(artifact, split_.held_out, /*stop=*/nullptr));
    Check(log.WriteAccuracies(step, artifact));
    return absl::StrCat("step ", step, " held-out ", AccuracyText(artifact));
  }

  // Of the network as it would be the result after `step` steps; the training goes on from its state before.
  std::string EvaluateAsResult(int64_t step, TrainingLog& log) {
    NamedTensors before = NetworkState(network_);
    for (auto& [name, tensor] : before) tensor = tensor.detach().clone();
    std::ostream silent(nullptr);
    bool finished = steps_.BecomeResult(silent);
    Artifact artifact = steps_.Export();
    if (finished) {
      if (options_.rank() == 0) Check(MeasureAccuracies(artifact, split_.held_out, options_.stop));
      finished = !ValueOf(StopRequested(options_));
    }
    const bool best = finished && options_.rank() == 0 && Offer(step, artifact);
    CopyTensors(before, NetworkState(network_));
    network_->WeightsChanged();
    if (!finished) {
      Save(step);
      Check(Stopped(step));
    }
    Check(log.WriteAccuracies(step, artifact));
    return absl::StrCat("step ", step, " held-out ", AccuracyText(artifact), best ? ", the best so far" : "");
  }

  bool Offer(int64_t step, const Artifact& artifact) {
    return best_->Offer(step, CorrectAnswers(artifact, options_.keep_best), NetworkState(network_));
  }

  // Names and tensors of everything that a later step or the result depends on.
  NamedTensors State() {
    NamedTensors state = steps_.State();
    if (!best_.has_value()) return state;
    for (const auto& [name, tensor] : best_->State()) state.emplace_back(name, tensor);
    return state;
  }

  int64_t Load() {
    const absl::StatusOr<int64_t> step = checkpoint_.Load(State(), steps_.Counts());
    if (absl::IsNotFound(step.status())) {
      progress_ << "no checkpoint '" << checkpoint_.path() << "' yet: from the first step\n";
      return 0;
    }
    Check(step.status());
    steps_.StateChanged();
    return *step;
  }

  void Save(int64_t step) {
    if (options_.rank() != 0) return;
    NamedTensors all = State();
    for (const auto& [name, tensor] : steps_.Counts()) all.emplace_back(name, tensor);
    const std::string kept = ValueOf(checkpoint_.Save(step, all));
    if (kept.empty()) return;
    progress_ << (live_ ? "\r\033[K" : "") << "an earlier checkpoint is kept as '" << kept << "'\n";
  }

  // The batch of `step`. A row that cannot be read ends the run; the steps since `first` are saved before.
  TensorBatch BatchOrSave(int64_t step, int64_t first) {
    absl::StatusOr<TensorBatch> batch = steps_.BatchAt(step);
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
    steps_.StateChanged();
    steps_.SynchronizeNorms();
    return first[0].item<int64_t>();
  }

  absl::Status Stopped(int64_t step) const {
    return absl::CancelledError(absl::StrCat(
        "stopped after step ", step, " of ", total_steps_, ", ",
        options_.checkpoint.empty() ? "nothing saved" : absl::StrCat("saved in '", options_.checkpoint, "'")));
  }

  // Fixed at construction.
  const TrainerOptions options_;
  const int64_t total_steps_;
  const LearningRate rate_;
  const std::string identity_;
  std::ostream& progress_;
  const bool live_;
  const HeldOutSplit split_;

  TrainingSteps steps_;
  TrainableNetwork network_;  // of steps_
  RunCheckpoint checkpoint_;
  std::optional<BestNetwork> best_;  // with TrainerOptions::keep_best
};

}  // namespace

absl::StatusOr<TrainingResult> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                                     const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                                     bool live) {
  if (absl::Status status = CheckOptions(spec, points, examples, options); !status.ok()) return status;
  return CatchStatus(options.device,
                     [&] { return TrainingRun(spec, points, examples, options, progress, live).Run(); });
}

}  // namespace anybit::model::train
