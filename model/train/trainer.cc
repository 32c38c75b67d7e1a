#include "model/train/trainer.h"

#include <ATen/Context.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numbers>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/evaluate.h"
#include "model/torch_network.h"
#include "model/train/augmentation.h"
#include "model/train/batch_source.h"
#include "model/train/trainable_network.h"

namespace anybit {
namespace {

// Images move by up to two pixels, and may be mirrored.
constexpr Augmentation kAugmentation = {.shift = 2, .mirror = true};

struct TensorBatch {
  torch::Tensor images;  // u8 [N, height, width, channels]
  torch::Tensor labels;  // int64 [N]
};

BatchSource MakeSource(const ExampleSet& training, const TrainerOptions& options) {
  absl::StatusOr<BatchSource> source =
      BatchSource::Create(training, {.batch = options.batch, .seed = options.seed, .augmentation = kAugmentation});
  if (!source.ok()) throw std::invalid_argument(std::string(source.status().message()));
  return *std::move(source);
}

// One line of progress, rewritten in place on a terminal, else printed now and then.
class ProgressLine {
 public:
  ProgressLine(std::ostream& out, bool live, int64_t total, int64_t done)
      : out_(out), live_(live), total_(total), first_(done), start_(std::chrono::steady_clock::now()) {}

  void Show(int64_t done, const std::string& text) {
    if (!live_ && done % 50 != 0 && done != total_) return;
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(done * kWidth / total_);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const int64_t left = static_cast<int64_t>(seconds / static_cast<double>(done - first_) * static_cast<double>(total_ - done));
    out_ << (live_ ? "\r" : "")
         << absl::StrFormat("[%s%s] %d/%d  %.2f s/step  left %d:%02d  %s", std::string(filled, '='),
                            std::string(kWidth - filled, ' '), done, total_, seconds / static_cast<double>(done - first_), left / 60,
                            left % 60, text)
         << (live_ && done != total_ ? "" : "\n") << std::flush;
  }

 private:
  std::ostream& out_;
  const bool live_;
  const int64_t total_, first_;
  const std::chrono::steady_clock::time_point start_;
};

class TrainingRun {
 public:
  TrainingRun(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& training,
              const TrainerOptions& options, std::ostream& progress, bool live)
      : training_(training),
        options_(options),
        progress_(progress),
        live_(live),
        device_(options.device),
        network_(spec, points, options.seed),
        source_(MakeSource(training, options)),
        total_(options.start_steps + options.joint_steps),
        identity_(Identity(spec, points, training, options)),
        losses_(points.size(), 0.0) {
    // Convolutions over codes must not be rounded to ten bits behind our back.
    at::globalContext().setAllowTF32CuDNN(false);
    network_->to(device_);
    optimizer_ = std::make_unique<torch::optim::AdamW>(std::vector<torch::optim::OptimizerParamGroup>{
        Group(network_->weights(), options.weight_decay), Group(network_->norms(), 0), Group(network_->steps(), 0)});
  }

  Artifact Run() {
    int64_t step = options_.resume ? Load() : 0;
    ProgressLine line(progress_, live_, total_, step);
    while (step < total_) {
      if (step == options_.start_steps) StartJointPhase();
      TrainStep(step++);
      line.Show(step, LossText());
      if (step % options_.checkpoint_interval == 0 || step == total_) Save(step);
    }
    ReestimateNorms();
    return network_->Export();
  }

 private:
  static torch::optim::OptimizerParamGroup Group(std::vector<torch::Tensor> parameters, double weight_decay) {
    auto options = std::make_unique<torch::optim::AdamWOptions>();
    options->weight_decay(weight_decay);
    return torch::optim::OptimizerParamGroup(std::move(parameters), std::move(options));
  }

  // All that makes this run this run. A checkpoint of another one would be continued wrongly and in silence.
  static std::string Identity(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                              const ExampleSet& training, const TrainerOptions& options) {
    std::string text = absl::StrCat(
        "network ", spec.ShortDebugString(), "; training rows ", training.count(), "; start ", options.start_steps,
        " joint ",
        options.joint_steps, " batch ", options.batch, " rate ", options.learning_rate, " decay ", options.weight_decay,
        " held out ", options.held_out, " seed ", options.seed, "; points");
    for (const PointRecipe& p : points) {
      absl::StrAppend(&text, " ", p.name, " ", p.weights.step, "/", p.weights.lo, "/", p.weights.hi, "/", p.weights.sign,
                      "/", p.highest_code, "@", p.interval);
    }
    return text;
  }

  TensorBatch BatchAt(int64_t step) {
    absl::StatusOr<Minibatch> batch = source_.At(step);
    if (!batch.ok()) throw std::invalid_argument(std::string(batch.status().message()));
    const ExampleShape& shape = training_.shape();
    const int64_t rows = static_cast<int64_t>(batch->labels.size());
    const std::vector<int64_t> sizes = {rows, shape.height, shape.width, shape.channels};
    return {torch::from_blob(batch->images.data(), sizes, torch::kUInt8).clone(),
            torch::from_blob(batch->labels.data(), {rows}, torch::kInt64).clone()};
  }

  int FullPrecisionPoint() const {
    for (size_t p = 0; p < network_->points().size(); ++p) {
      if (network_->points()[p].full_precision) return static_cast<int>(p);
    }
    return 0;  // without one, the first point starts alone
  }

  void StartJointPhase() {
    network_->SpreadBatchNorm(FullPrecisionPoint());
    const torch::Tensor images = BatchAt(options_.start_steps).images.to(device_);
    for (size_t p = 0; p < network_->points().size(); ++p) {
      if (!network_->points()[p].full_precision) network_->CalibrateSteps(static_cast<int>(p), images);
    }
  }

  // A tenth of each phase warms up linearly, the rest follows half a cosine to 0.
  double LearningRate(int64_t step) const {
    const bool start = step < options_.start_steps;
    const double length = static_cast<double>(start ? options_.start_steps : options_.joint_steps);
    const double done = static_cast<double>(start ? step : step - options_.start_steps) / length;
    constexpr double kWarmUp = 0.1;
    if (done < kWarmUp) return options_.learning_rate * (done + 1 / length) / (kWarmUp + 1 / length);
    return options_.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * (done - kWarmUp) / (1 - kWarmUp)));
  }

  void SetLearningRate(double rate) {
    // Activation steps are few and felt by every element: a tenth of the rate.
    constexpr double kOfGroup[] = {1.0, 1.0, 0.1};
    for (size_t group = 0; group < optimizer_->param_groups().size(); ++group) {
      optimizer_->param_groups()[group].options().set_lr(rate * kOfGroup[group]);
    }
  }

  bool IsDue(int64_t step, int point) const {
    if (step < options_.start_steps) return point == FullPrecisionPoint();
    return (step + point) % network_->points()[point].interval == 0;
  }

  void TrainStep(int64_t step) {
    const TensorBatch minibatch = BatchAt(step);
    const torch::Tensor images = minibatch.images.to(device_), labels = minibatch.labels.to(device_);
    SetLearningRate(LearningRate(step));
    optimizer_->zero_grad();
    for (size_t p = 0; p < network_->points().size(); ++p) {
      if (!IsDue(step, static_cast<int>(p))) continue;
      const torch::Tensor loss = torch::cross_entropy_loss(network_->Forward(static_cast<int>(p), images), labels);
      loss.backward();
      const double value = loss.item<double>();
      losses_[p] = losses_[p] == 0 ? value : 0.95 * losses_[p] + 0.05 * value;
    }
    optimizer_->step();
  }

  std::string LossText() const {
    std::string text = "loss";
    for (size_t p = 0; p < losses_.size(); ++p) {
      if (losses_[p] != 0) absl::StrAppendFormat(&text, " %s %.3f", network_->points()[p].name, losses_[p]);
    }
    return text;
  }

  // The mean of the statistics of `norm_batches` batches, per point, with the final weights.
  void ReestimateNorms() {
    torch::NoGradGuard no_gradient;
    for (int64_t i = 0; i < options_.norm_batches; ++i) {
      const torch::Tensor images = BatchAt(total_ + i).images.to(device_);
      for (size_t p = 0; p < network_->points().size(); ++p) {
        network_->Forward(static_cast<int>(p), images, /*momentum=*/1.0 / static_cast<double>(i + 1));
      }
    }
  }

  void Save(int64_t step) {
    if (options_.checkpoint.empty()) return;
    torch::serialize::OutputArchive archive, network, optimizer;
    network_->save(network);
    optimizer_->save(optimizer);
    archive.write("network", network);
    archive.write("optimizer", optimizer);
    archive.write("identity", c10::IValue(identity_));
    archive.write("step", torch::tensor(step));
    archive.write("losses", torch::tensor(losses_));
    const std::string unfinished = options_.checkpoint + ".partial";
    archive.save_to(unfinished);
    std::filesystem::rename(unfinished, options_.checkpoint);
  }

  int64_t Load() {
    if (options_.checkpoint.empty() || !std::filesystem::exists(options_.checkpoint)) return 0;
    torch::serialize::InputArchive archive, network, optimizer;
    archive.load_from(options_.checkpoint, device_);
    c10::IValue identity;
    archive.read("identity", identity);
    if (identity.toStringRef() != identity_) {
      throw std::invalid_argument(absl::StrCat("checkpoint '", options_.checkpoint, "' is of another run: it has [",
                                               identity.toStringRef(), "], this one [", identity_, "]"));
    }
    archive.read("network", network);
    archive.read("optimizer", optimizer);
    network_->load(network);
    optimizer_->load(optimizer);
    torch::Tensor step, losses;
    archive.read("step", step);
    archive.read("losses", losses);
    losses = losses.to(torch::kCPU, torch::kFloat64);
    for (size_t p = 0; p < losses_.size(); ++p) losses_[p] = losses[static_cast<int64_t>(p)].item<double>();
    return step.item<int64_t>();
  }

  const ExampleSet& training_;
  const TrainerOptions options_;
  std::ostream& progress_;
  const bool live_;
  const torch::Device device_;
  TrainableNetwork network_;
  BatchSource source_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
  const int64_t total_;
  const std::string identity_;
  std::vector<double> losses_;  // moving averages, per point
};

absl::Status CheckOptions(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                          const TrainerOptions& options) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (!plan.ok()) return plan.status();
  if (points.empty()) return absl::InvalidArgumentError("no operating point to train");
  const ExampleShape wanted{.height = plan->input.height, .width = plan->input.width, .channels = plan->input.channels};
  if (examples.shape() != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("images of ", ToText(examples.shape()), " for a network of ", ToText(wanted)));
  }
  if (examples.classes() > plan->classes()) {
    return absl::InvalidArgumentError(absl::StrCat("images of ", examples.classes(), " classes for a network of ",
                                                   plan->classes()));
  }
  if (options.batch < 2 || options.held_out < 1 || examples.count() - options.held_out < options.batch) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", options.batch, " and ", options.held_out,
                                                   " held-out images do not fit ", examples.count(), " images"));
  }
  if (options.start_steps < 0 || options.joint_steps < 0 || options.start_steps + options.joint_steps < 1) {
    return absl::InvalidArgumentError(absl::StrCat(options.start_steps, " + ", options.joint_steps, " steps are no training"));
  }
  if (options.resume && options.checkpoint.empty()) return absl::InvalidArgumentError("resume without a checkpoint");
  if (options.norm_batches < 1 || options.checkpoint_interval < 1) {
    return absl::InvalidArgumentError("norm batches and checkpoint interval must be >= 1");
  }
  if (options.device != "cpu" && options.device != "cuda") {
    return absl::InvalidArgumentError(absl::StrCat("device '", options.device, "' is not cpu or cuda"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                               const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                               bool live) {
  if (absl::Status status = CheckOptions(spec, points, examples, options); !status.ok()) return status;
  const HeldOutSplit split = HoldOut(examples, options.held_out);
  Artifact artifact;
  try {
    artifact = TrainingRun(spec, points, split.training, options, progress, live).Run();
  } catch (const std::invalid_argument& error) {
    return absl::InvalidArgumentError(error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  absl::StatusOr<std::unique_ptr<TorchNetwork>> simulation = TorchNetwork::Create(artifact);
  if (!simulation.ok()) return simulation.status();
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    absl::StatusOr<double> accuracy = EvaluateTop1(**simulation, static_cast<int>(p), split.held_out);
    if (!accuracy.ok()) return accuracy.status();
    artifact.points[p].info.accuracy = *accuracy;
    artifact.points[p].accuracy_images = split.held_out.count();
  }
  return artifact;
}

}  // namespace anybit
