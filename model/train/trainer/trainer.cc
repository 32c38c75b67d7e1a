#include "model/train/trainer/trainer.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/data/batch_source.h"
#include "model/engine/evaluate.h"
#include "model/engine/torch_network.h"
#include "model/format/full_precision_point.h"
#include "model/train/network/losses.h"
#include "model/train/network/synchronized_batch_norm.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/process_group.h"
#include "model/train/recipe/block_swap.h"
#include "model/train/recipe/chance.h"
#include "model/train/recipe/learning_rate.h"
#include "model/train/recipe/teacher.h"
#include "model/train/trainer/checkpoint.h"
#include "model/train/trainer/network_state.h"
#include "model/train/trainer/optimizer.h"
#include "model/train/trainer/progress.h"
#include "model/train/trainer/start.h"

namespace anybit {
namespace {

struct TensorBatch {
  torch::Tensor images;        // u8 [N, frames, height, width, channels]
  torch::Tensor labels;        // int64 [N]
  torch::Tensor other_labels;  // likewise, or undefined without mixup
  double share = 1;            // of `labels`
};

// Inside a run a Status travels like the exceptions of LibTorch; Train stops both.
void Check(const absl::Status& status) {
  if (!status.ok()) throw status;
}

// The batches of all processes together, of which this source gives the share of `rank`.
BatchSource MakeSource(const ExampleSet& training, const TrainerOptions& options, int rank, int world) {
  absl::StatusOr<BatchSource> source = BatchSource::Create(training, {.batch = options.batch * options.processes(),
                                                                      .seed = options.seed,
                                                                      .rank = rank,
                                                                      .world_size = world,
                                                                      .augmentation = options.augmentation});
  Check(source.status());
  return *std::move(source);
}

// Measures `artifact` by simulating what would be served, and notes the accuracies in it.
// Stops early where `stop`, if any, is set.
absl::Status Measure(Artifact& artifact, const ExampleSet& held_out, const std::atomic<int>* stop) {
  absl::StatusOr<std::unique_ptr<TorchNetwork>> simulation = TorchNetwork::Create(artifact);
  if (!simulation.ok()) return simulation.status();
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    if (stop != nullptr && *stop != 0) return absl::OkStatus();
    absl::StatusOr<double> accuracy = EvaluateTop1(**simulation, ToPointId(static_cast<int>(p)), held_out);
    if (!accuracy.ok()) return accuracy.status();
    artifact.points[p].info.accuracy = *accuracy;
    artifact.points[p].accuracy_images = held_out.count();
  }
  return absl::OkStatus();
}

// FNV-1a, 64 bits.
constexpr uint64_t kNothingHashed = 0xcbf29ce484222325;

uint64_t Hash(std::string_view bytes, uint64_t hash = kNothingHashed) {
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

// Of the weights that a run starts from: another start is another run.
uint64_t Fingerprint(const Artifact& artifact) {
  uint64_t hash = kNothingHashed;
  for (const LayerStore& layer : artifact.store) {
    hash = Hash({reinterpret_cast<const char*>(layer.full.data()), 4 * layer.full.size()}, hash);
  }
  return hash;
}

// Of the labels in their order, which no two data sets share.
uint64_t Fingerprint(const ExampleSet& examples) {
  uint64_t hash = kNothingHashed;
  for (int64_t i = 0; i < examples.count(); ++i) {
    const int label = examples.label(i);
    const char bytes[] = {static_cast<char>(label & 255), static_cast<char>(label >> 8)};
    hash = Hash({bytes, 2}, hash);
  }
  return hash;
}

class TrainingRun {
 public:
  TrainingRun(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
              const TrainerOptions& options, std::ostream& progress, bool live)
      : options_(options),
        recipe_(options.recipe),
        progress_(progress),
        live_(live),
        device_(options.device),
        network_(spec, WithStart(points), options.recipe, options.seed),
        points_(network_->points()),
        results_(points.size()),
        highest_first_(HighestFirst(points)),
        start_point_(FindFullPrecision(points_)),
        blocks_(SwappableBlocks(network_->plan())),
        split_(HoldOut(examples, options.held_out)),
        source_(MakeSource(split_.training, options, options.rank(), options.processes())),
        total_(options.start_steps + options.joint_steps),
        rate_({.peak = options.learning_rate,
               .joint_peak = options.joint_learning_rate > 0 ? options.joint_learning_rate : options.learning_rate,
               .start_steps = options.start_steps,
               .joint_steps = options.joint_steps}),
        identity_(Identity(spec, points, examples, options)),
        ours_(options.resume) {
    // Convolutions over codes must not be rounded to ten bits behind our back.
    at::globalContext().setAllowTF32CuDNN(false);
    // For one seed to be one result on a GPU too.
    at::globalContext().setDeterministicCuDNN(true);
    if (options.threads > 0) torch::set_num_threads(options.threads);
    network_->to(device_);
    if (options.bfloat16_backward) network_->RoundBackward();
    std::iota(results_.begin(), results_.end(), 0);
    losses_ = torch::zeros({static_cast<int64_t>(points_.size())}, torch::TensorOptions(device_));
    optimizer_ = std::make_unique<Optimizer>(options.sgd ? OptimizerKind::kSgd : OptimizerKind::kAdamW,
                                             options.momentum, Groups());
    if (options.ema > 0) {
      for (const torch::Tensor& parameter : network_->parameters()) average_.push_back(parameter.detach().clone());
    }
  }

  Artifact Run() {
    int64_t step = options_.resume && options_.rank() == 0 ? Load() : 0;
    if (step == 0 && options_.start != nullptr) Adopt(*options_.start);
    if (options_.group != nullptr) step = JoinGroup(step);
    ProgressLine line(progress_, live_, options_.progress_interval, total_, step);
    const int64_t first = step;
    while (step < total_) {
      const TensorBatch batch = BatchOrSave(step, first);
      if (step == options_.start_steps) StartJointPhase();
      TrainStep(step++, batch);
      line.Show(step, [this] { return LossText(); });
      const bool stopped = StopAgreed();
      if (stopped || step % options_.checkpoint_interval == 0 || step == total_) {
        CheckFinite(step);
        Save(step);
      }
      if (stopped) Check(Stopped(step));
      if (options_.evaluation_interval > 0 && step % options_.evaluation_interval == 0 && step != total_ &&
          options_.rank() == 0) {
        line.Say(EvaluationText(step));
      }
    }
    if (options_.ema > 0) TakeAverage();
    ReestimateNorms();
    Artifact artifact = network_->Export(results_);
    if (options_.rank() == 0) Check(Measure(artifact, split_.held_out, options_.stop));
    if (StopAgreed()) Check(Stopped(total_));
    return artifact;
  }

 private:
  // Batch norm, bias and learned numbers do not decay; the fewer bits, the slower steps and scales may learn.
  std::vector<ParameterGroup> Groups() const {
    std::vector<ParameterGroup> groups = {{.parameters = network_->weights(), .weight_decay = options_.weight_decay},
                                          {.parameters = network_->norms()}};
    const double clip_decay = recipe_.activations == ActivationRule::kPact ? recipe_.activation_decay : 0;
    for (size_t p = 0; p < points_.size(); ++p) {
      const double rate =
          recipe_.step_rate * std::pow(10.0, -recipe_.scale_decades * std::max(0, 8 - points_[p].activation_bits));
      const std::vector<torch::Tensor> steps = network_->steps(static_cast<int>(p));
      groups.push_back({.parameters = steps, .rate = rate, .weight_decay = clip_decay, .relative = true});
    }
    groups.push_back({.parameters = network_->scales(), .rate = recipe_.step_rate});
    return groups;
  }

  // All that makes this run this run. A checkpoint of another one would be continued wrongly and in silence.
  static std::string Identity(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                              const ExampleSet& examples, const TrainerOptions& options) {
    std::string text = absl::StrCat(
        "network ", spec.ShortDebugString(), "; recipe ", WholeRecipeText(options.recipe), "; examples ",
        examples.count(), " ", absl::Hex(Fingerprint(examples)), "; augmentation ", ToText(options.augmentation),
        "; start ", options.start_steps, " joint ", options.joint_steps, " batch ", options.batch, " x ",
        options.processes(), options.group != nullptr && !options.sync_norm ? " own norms" : "",
        options.sgd ? " sgd " : " adamw ", options.sgd ? options.momentum : 0, " rate ", options.learning_rate,
        " then ", options.joint_learning_rate, " decay ", options.weight_decay, " smoothing ", options.label_smoothing,
        " ema ", options.ema, " held out ", options.held_out, " seed ", options.seed);
    if (options.bfloat16_backward) absl::StrAppend(&text, " gradients in bfloat16");
    if (options.first_batch > 0) absl::StrAppend(&text, " first batch ", options.first_batch);
    if (options.start != nullptr) absl::StrAppend(&text, " from ", absl::Hex(Fingerprint(*options.start)));
    absl::StrAppend(&text, "; points");
    for (const PointRecipe& p : points) {
      absl::StrAppend(&text, " ", p.name, " ", p.weights.step, "/", p.weights.lo, "/", p.weights.hi, "/",
                      p.weights.sign, "/", p.highest_code, "@", p.interval);
    }
    return text;
  }

  // All processes go on from what the first one has; only that one needs to see its checkpoint.
  int64_t JoinGroup(int64_t step) {
    const auto own = static_cast<int64_t>(Hash(identity_));
    const torch::Tensor first = torch::tensor({step, own}, torch::kInt64).to(device_);
    Check(options_.group->Broadcast({first}));
    if (first[1].item<int64_t>() != own) {
      Check(absl::InvalidArgumentError(absl::StrCat(
          "process ", options_.rank(), " was started for another run than process 0: this one is [", identity_, "]")));
    }
    std::vector<torch::Tensor> tensors;
    for (const auto& [name, tensor] : State()) tensors.push_back(tensor);
    Check(options_.group->Broadcast(tensors));
    network_->WeightsChanged();
    if (options_.sync_norm) network_->SynchronizeNorms(options_.group);
    return first[0].item<int64_t>();
  }

  TensorBatch BatchAt(BatchSource& source, int64_t step) const {
    absl::StatusOr<Minibatch> batch = source.At(options_.first_batch + step);
    Check(batch.status());
    const ExampleShape& shape = split_.training.shape();
    const auto rows = static_cast<int64_t>(batch->labels.size());
    const auto to_device = [&](void* values, at::IntArrayRef sizes, torch::ScalarType type) {
      return torch::from_blob(values, sizes, type).clone().to(device_);
    };
    TensorBatch tensors{
        .images = to_device(batch->images.data(), {rows, shape.frames, shape.height, shape.width, shape.channels},
                            torch::kUInt8),
        .labels = to_device(batch->labels.data(), {rows}, torch::kInt64),
        .share = batch->share};
    if (!batch->other_labels.empty()) {
      tensors.other_labels = to_device(batch->other_labels.data(), {rows}, torch::kInt64);
    }
    return tensors;
  }

  // The batch of `step`. Rows that cannot be read end the run, but do not cost what it has learned since `first`.
  TensorBatch BatchOrSave(int64_t step, int64_t first) {
    try {
      return BatchAt(source_, step);
    } catch (const absl::Status&) {
      if (step > first) Save(step);
      throw;
    }
  }

  // What is measured once is measured on the batches of all processes, by each of them.
  torch::Tensor WholeBatchAt(int64_t step) const {
    BatchSource whole = MakeSource(split_.training, options_, 0, 1);
    return BatchAt(whole, step).images;
  }

  void Adopt(const Artifact& start) {
    const auto from = static_cast<int>(FullPrecisionPoint(start) - start.points.data());
    network_->StartFrom(start, from, start_point_, WholeBatchAt(0));
    ResetAverage();
  }

  void StartJointPhase() {
    network_->SpreadBatchNorm(start_point_);
    network_->ResetScales();
    // What it knows of the start's gradients would make recipes whose gradients are larger learn faster.
    optimizer_->Reset();
    const torch::Tensor images = WholeBatchAt(options_.start_steps);
    for (size_t p = 0; p < points_.size(); ++p) {
      if (!points_[p].full_precision) network_->CalibrateSteps(static_cast<int>(p), images);
    }
    ResetAverage();
  }

  // Highest precision first: who teaches runs before who learns.
  std::vector<int> Due(int64_t step) const {
    if (step < options_.start_steps) return {start_point_};
    std::vector<int> due;
    for (int point : highest_first_) {
      if ((step + point) % points_[point].interval == 0) due.push_back(point);
    }
    return due;
  }

  // One point's part in a step.
  struct Pass {
    int point = 0;
    torch::Tensor logits;      // without gradient
    torch::Tensor label_loss;  // likewise
  };

  const Pass* Teacher(int64_t step, int student, std::span<const Pass> done,
                      const torch::Tensor& student_logits) const {
    std::vector<int> points;
    for (const Pass& pass : done) points.push_back(pass.point);
    std::vector<TeacherCandidate> candidates;
    for (int point : PossibleTeachers(points_, points, student)) {
      const Pass& pass = *std::find_if(done.begin(), done.end(), [&](const Pass& p) { return p.point == point; });
      TeacherCandidate& candidate = candidates.emplace_back(TeacherCandidate{.point = point});
      // Reading a number waits for the device: only where the rule asks for it.
      if (recipe_.teacher == TeacherRule::kLowestLoss) candidate.loss = pass.label_loss.item<double>();
      if (recipe_.teacher == TeacherRule::kClosest) {
        candidate.divergence = OverGroup(TeacherLoss(student_logits, pass.logits, 1)).item<double>();
      }
    }
    const uint64_t draw =
        Draw(options_.seed, Purpose::kTeacher, {static_cast<uint64_t>(step), static_cast<uint64_t>(student)});
    const int chosen = ChooseTeacher(recipe_.teacher, candidates, draw);
    const auto found = std::find_if(done.begin(), done.end(), [&](const Pass& p) { return p.point == chosen; });
    return found == done.end() ? nullptr : &*found;
  }

  // The mean of a number over all processes, so that they choose alike.
  torch::Tensor OverGroup(const torch::Tensor& value) const {
    const torch::Tensor mean = value.detach().clone();
    if (options_.group != nullptr) Check(options_.group->Average({mean}));
    return mean;
  }

  torch::Tensor LabelLossOf(const torch::Tensor& logits, const TensorBatch& batch) const {
    const torch::Tensor loss = LabelLoss(logits, batch.labels, options_.label_smoothing);
    if (!batch.other_labels.defined()) return loss;
    return batch.share * loss + (1 - batch.share) * LabelLoss(logits, batch.other_labels, options_.label_smoothing);
  }

  // Forward and backward at one point; `done` are the passes of higher points.
  Pass RunPass(int64_t step, int point, std::span<const Pass> done, int due, const TensorBatch& batch) {
    const torch::Tensor& images = batch.images;
    const double progress =
        static_cast<double>(step - options_.start_steps) / static_cast<double>(options_.joint_steps);
    const double swap = step < options_.start_steps ? 0 : SwapProbability(recipe_, progress);
    const bool closest = recipe_.teacher == TeacherRule::kClosest;
    torch::Tensor logits;
    if (closest && swap == 0) logits = network_->Forward(point, images, kMomentum);
    torch::Tensor own = logits.defined() ? logits.detach() : logits;
    if (closest && swap > 0 && !done.empty()) {
      // The blocks to swap are the teacher's, so it must be known before the pass.
      torch::NoGradGuard no_gradient;
      own = network_->Forward(point, images, /*momentum=*/0);
    }
    // Whose blocks are swapped in, or whose logits are learned.
    const bool teachable = !done.empty() && (swap > 0 || recipe_.loss != LossRule::kLabels);
    const Pass* teacher = teachable ? Teacher(step, point, done, own) : nullptr;
    if (!logits.defined()) {
      Route route;
      if (teacher != nullptr && swap > 0) {
        route = SwapBlocks(network_->plan(), blocks_, point, teacher->point, swap, options_.seed, step);
      }
      logits = network_->Forward(point, images, kMomentum, route);
    }
    const torch::Tensor label_loss = LabelLossOf(logits, batch);
    const bool taught = teacher != nullptr && points_[point].weight_bits <= recipe_.distill_bits;
    const torch::Tensor loss = PassLoss(recipe_, label_loss, logits, taught ? teacher->logits : torch::Tensor());
    const double gain =
        (points_[point].weights.sign ? recipe_.sign_gain : 1) / (recipe_.gradients == Combination::kMean ? due : 1);
    (loss * gain).backward();
    return {.point = point, .logits = logits.detach(), .label_loss = OverGroup(label_loss)};
  }

  void TrainStep(int64_t step, const TensorBatch& batch) {
    optimizer_->ClearGradients();
    std::vector<Pass> done;
    const std::vector<int> due = Due(step);
    for (int point : due) {
      done.push_back(RunPass(step, point, done, static_cast<int>(due.size()), batch));
      Note(done.back());
    }
    if ((recipe_.kure > 0 || recipe_.skew > 0) && step >= options_.start_steps) {
      ShapePenalty(network_->inner_weights(), recipe_.kure, recipe_.skew).backward();
    }
    network_->PullBackGradients();
    if (options_.group != nullptr) CombineGradients();
    optimizer_->Step(rate_.At(step));
    network_->KeepInRange();
    network_->WeightsChanged();
    if (options_.ema > 0) UpdateAverage(step);
  }

  // Those of the whole batch: its loss is the mean of the processes' losses. LSQ scales a step's gradient by
  // 1 / sqrt(elements), and a process has its share of these.
  void CombineGradients() {
    Check(AverageGradients(*options_.group, network_->parameters()));
    if (recipe_.activations != ActivationRule::kLearnedStep) return;
    const double factor = std::sqrt(static_cast<double>(options_.processes()));
    for (const torch::Tensor& step : network_->steps()) {
      if (step.grad().defined()) step.mutable_grad().div_(factor);
    }
  }

  // Moving averages of the losses, on the device: nothing waits for them until they are shown.
  void Note(const Pass& pass) {
    torch::Tensor average = losses_[pass.point];
    average.copy_(torch::where(average == 0, pass.label_loss, 0.95 * average + 0.05 * pass.label_loss));
  }

  std::string LossText() const {
    const torch::Tensor losses = losses_.to(torch::kCPU);
    std::string text = "loss";
    for (size_t p = 0; p < points_.size(); ++p) {
      const float loss = losses.const_data_ptr<float>()[p];
      if (loss != 0) absl::StrAppendFormat(&text, " %s %.3f", points_[p].name, loss);
    }
    return text;
  }

  // With the running statistics of training, which lag and are averages (see EstimateNorms): a look on the way, not the
  // result, which may be points higher at few bits.
  std::string EvaluationText(int64_t step) {
    Artifact artifact = network_->Export(results_);
    Check(Measure(artifact, split_.held_out, nullptr));
    std::string text = absl::StrCat("step ", step, " held-out");
    for (const ArtifactPoint& point : artifact.points) {
      absl::StrAppendFormat(&text, " %s %.2f%%", point.info.name, 100 * point.info.accuracy);
    }
    return text;
  }

  // From `norm_batches` batches, with the final weights.
  void ReestimateNorms() {
    if (options_.norm_batches == 0) return;
    network_->SynchronizeNorms(options_.group);
    std::vector<torch::Tensor> batches;
    for (int64_t i = 0; i < options_.norm_batches; ++i) {
      batches.push_back(BatchAt(source_, total_ + i).images.cpu());
    }
    for (int point : results_) {
      if (StopAgreed()) Check(Stopped(total_));
      progress_ << "batch norm of " << points_[point].name << "\n";
      network_->EstimateNorms(point, batches);
    }
  }

  void ResetAverage() {
    for (size_t i = 0; i < average_.size(); ++i) average_[i].copy_(network_->parameters()[i].detach());
  }

  void UpdateAverage(int64_t step) {
    torch::NoGradGuard no_gradient;
    const auto done = static_cast<double>(step < options_.start_steps ? step : step - options_.start_steps);
    at::_foreach_lerp_(average_, network_->parameters(), 1 - std::min(options_.ema, (1 + done) / (10 + done)));
  }

  void TakeAverage() {
    torch::NoGradGuard no_gradient;
    std::vector<torch::Tensor> parameters = network_->parameters();
    for (size_t i = 0; i < average_.size(); ++i) parameters[i].copy_(average_[i]);
    network_->WeightsChanged();
  }

  // Names and tensors of everything that a later step depends on.
  NamedTensors State() {
    NamedTensors state = NetworkState(network_);
    for (const auto& [name, tensor] : optimizer_->State()) state.emplace_back("optimizer." + name, tensor);
    for (size_t i = 0; i < average_.size(); ++i) state.emplace_back(absl::StrCat("average.", i), average_[i]);
    state.emplace_back("losses", losses_);
    return state;
  }

  // A training that has diverged goes nowhere any more, and must not cost the last good checkpoint.
  void CheckFinite(int64_t step) {
    for (const auto& [name, tensor] : NetworkState(network_)) {
      if (tensor.isfinite().all().item<bool>()) continue;
      Check(absl::AbortedError(absl::StrCat("the training has diverged: after step ", step, " '", name,
                                            "' is not finite; a lower learning rate may help")));
    }
  }

  // Whether any process was told to stop; all then have its number, of several the highest. Called by all processes
  // after the same step. Costs a small message a step and, on a GPU, the wait for it.
  bool StopAgreed() {
    if (options_.stop == nullptr) return false;
    if (options_.group == nullptr) return *options_.stop != 0;
    // A group has sums and no maximum: a place for each number.
    torch::Tensor votes = torch::zeros({kMaxSignal + 1}, torch::TensorOptions(device_));
    if (const int own = *options_.stop; own != 0) votes[std::clamp(own, 1, kMaxSignal)].fill_(1);
    Check(options_.group->Sum({votes}));
    const torch::Tensor asked = votes.nonzero().cpu();
    if (asked.numel() == 0) return false;
    *options_.stop = static_cast<int>(asked.max().item<int64_t>());
    return true;
  }

  absl::Status Stopped(int64_t step) const {
    return absl::CancelledError(absl::StrCat(
        "stopped after step ", step, " of ", total_, ", ",
        options_.checkpoint.empty() ? "nothing saved" : absl::StrCat("saved in '", options_.checkpoint, "'")));
  }

  void Save(int64_t step) {
    if (options_.checkpoint.empty() || options_.rank() != 0) return;
    if (!std::exchange(ours_, true)) {
      const absl::StatusOr<bool> kept = KeepEarlierCheckpoint(options_.checkpoint);
      Check(kept.status());
      if (*kept) {
        progress_ << (live_ ? "\r\033[K" : "") << "an earlier checkpoint is kept as '" << options_.checkpoint
                  << ".previous'\n";
      }
    }
    Checkpoint checkpoint{.identity = identity_, .step = step};
    for (const auto& [name, tensor] : State()) checkpoint.tensors[name] = ToValues(tensor);
    Check(WriteCheckpoint(checkpoint, options_.checkpoint));
  }

  int64_t Load() {
    const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(options_.checkpoint);
    if (absl::IsNotFound(checkpoint.status())) {
      progress_ << "no checkpoint '" << options_.checkpoint << "' yet: from the first step\n";
      return 0;
    }
    Check(checkpoint.status());
    if (checkpoint->identity != identity_) {
      Check(
          absl::InvalidArgumentError(absl::StrCat("checkpoint '", options_.checkpoint, "' is of another run: it has [",
                                                  checkpoint->identity, "], this one [", identity_, "]")));
    }
    for (const auto& [name, tensor] : State()) Check(Restore(*checkpoint, name, tensor));
    network_->WeightsChanged();
    return checkpoint->step;
  }

  static constexpr double kMomentum = 0.1;  // of running statistics
  static constexpr int kMaxSignal = 64;

  const TrainerOptions options_;
  const Recipe& recipe_;
  std::ostream& progress_;
  const bool live_;
  const torch::Device device_;
  TrainableNetwork network_;
  const std::vector<PointRecipe>& points_;  // the results, and perhaps the start
  std::vector<int> results_;
  const std::vector<int> highest_first_;  // of the results
  const int start_point_;
  const std::vector<Block> blocks_;
  const HeldOutSplit split_;
  BatchSource source_;
  std::unique_ptr<Optimizer> optimizer_;
  const int64_t total_;
  const LearningRate rate_;
  const std::string identity_;
  bool ours_;                           // what lies at the checkpoint's path, if anything, is of this run
  torch::Tensor losses_;                // moving averages of the labels' loss, per point; 0: none yet
  std::vector<torch::Tensor> average_;  // of the parameters, with options_.ema
};

}  // namespace

absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
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

}  // namespace anybit
