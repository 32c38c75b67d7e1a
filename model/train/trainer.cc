#include "model/train/trainer.h"

#include <ATen/Context.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numbers>
#include <numeric>
#include <random>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/evaluate.h"
#include "model/torch_network.h"
#include "model/train/trainable_network.h"

namespace anybit {
namespace {

constexpr int kShift = 2;  // images move by up to this many pixels, and may be mirrored

uint64_t Mix(uint64_t a, uint64_t b) {
  std::seed_seq seeds{static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), static_cast<uint32_t>(b),
                      static_cast<uint32_t>(b >> 32)};
  return std::mt19937_64(seeds)();
}

// A uniformly drawn order of 0..n-1 (Fisher and Yates).
std::vector<int64_t> RandomOrder(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  return order;
}

struct Minibatch {
  torch::Tensor images;  // u8 [N, side, side, 1]
  torch::Tensor labels;  // int64 [N]
};

// Which images each step sees, and how they are moved: a function of the seed and the step.
class BatchSource {
 public:
  BatchSource(const ImageSet& images, int64_t first, int64_t count, int64_t batch, uint64_t seed)
      : images_(images), first_(first), count_(count), batch_(batch), seed_(seed) {}

  Minibatch At(int64_t step) {
    const int64_t per_epoch = count_ / batch_;
    const int64_t epoch = step / per_epoch;
    if (epoch != epoch_) {
      order_ = RandomOrder(count_, Mix(seed_, epoch));
      epoch_ = epoch;
    }
    std::mt19937_64 random(Mix(seed_ + 1, step));
    const int64_t side = images_.side;
    Minibatch minibatch{torch::zeros({batch_, side, side, 1}, torch::kUInt8), torch::empty({batch_}, torch::kInt64)};
    for (int64_t i = 0; i < batch_; ++i) {
      const int64_t image = first_ + order_[step % per_epoch * batch_ + i];
      minibatch.labels.data_ptr<int64_t>()[i] = images_.labels[image];
      const uint64_t draw = random();
      CopyMoved(images_.images(image, 1).data(), minibatch.images.data_ptr<uint8_t>() + i * side * side,
                static_cast<int>(draw % (2 * kShift + 1)) - kShift,
                static_cast<int>(draw / 16 % (2 * kShift + 1)) - kShift, (draw >> 32) % 2 == 0);
    }
    return minibatch;
  }

 private:
  void CopyMoved(const uint8_t* from, uint8_t* to, int dy, int dx, bool mirrored) const {
    const int side = static_cast<int>(images_.side);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const int sy = y + dy;
        const int sx = (mirrored ? side - 1 - x : x) + dx;
        if (sy >= 0 && sy < side && sx >= 0 && sx < side) to[y * side + x] = from[sy * side + sx];
      }
    }
  }

  const ImageSet& images_;
  const int64_t first_, count_, batch_;
  const uint64_t seed_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

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
  TrainingRun(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ImageSet& images,
              const TrainerOptions& options, std::ostream& progress, bool live)
      : images_(images),
        options_(options),
        progress_(progress),
        live_(live),
        device_(options.device),
        network_(spec, points, options.seed),
        source_(images, 0, images.count - options.held_out, options.batch, options.seed),
        total_(options.start_steps + options.joint_steps),
        identity_(Identity(spec, points, images, options)),
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
  static std::string Identity(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ImageSet& images,
                              const TrainerOptions& options) {
    std::string text = absl::StrCat(
        "network ", spec.ShortDebugString(), "; images ", images.count, "; start ", options.start_steps, " joint ",
        options.joint_steps, " batch ", options.batch, " rate ", options.learning_rate, " decay ", options.weight_decay,
        " held out ", options.held_out, " seed ", options.seed, "; points");
    for (const PointRecipe& p : points) {
      absl::StrAppend(&text, " ", p.name, " ", p.weights.step, "/", p.weights.lo, "/", p.weights.hi, "/", p.weights.sign,
                      "/", p.highest_code, "@", p.interval);
    }
    return text;
  }

  int FullPrecisionPoint() const {
    for (size_t p = 0; p < network_->points().size(); ++p) {
      if (network_->points()[p].full_precision) return static_cast<int>(p);
    }
    return 0;  // without one, the first point starts alone
  }

  void StartJointPhase() {
    network_->SpreadBatchNorm(FullPrecisionPoint());
    const torch::Tensor images = source_.At(options_.start_steps).images.to(device_);
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
    const Minibatch minibatch = source_.At(step);
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
      const torch::Tensor images = source_.At(total_ + i).images.to(device_);
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

  const ImageSet& images_;
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

absl::Status CheckOptions(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ImageSet& images,
                          const TrainerOptions& options) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (!plan.ok()) return plan.status();
  if (points.empty()) return absl::InvalidArgumentError("no operating point to train");
  if (plan->input != FeatureShape{images.side, images.side, 1}) {
    return absl::InvalidArgumentError(absl::StrCat("images of ", images.side, "x", images.side, "x1 for a network of ",
                                                   plan->input.height, "x", plan->input.width, "x", plan->input.channels));
  }
  const int highest_label = images.labels.empty() ? 0 : *std::max_element(images.labels.begin(), images.labels.end());
  if (highest_label >= plan->classes()) {
    return absl::InvalidArgumentError(absl::StrCat("label ", highest_label, " for ", plan->classes(), " classes"));
  }
  if (options.batch < 2 || options.held_out < 1 || images.count - options.held_out < options.batch) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", options.batch, " and ", options.held_out,
                                                   " held-out images do not fit ", images.count, " images"));
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

ImageSet HeldOut(const ImageSet& images, int64_t count) {
  const int64_t first = images.count - count;
  const auto pixels = images.images(first, count);
  return {.count = count,
          .side = images.side,
          .pixels = {pixels.begin(), pixels.end()},
          .labels = {images.labels.begin() + first, images.labels.end()}};
}

}  // namespace

absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ImageSet& images,
                               const TrainerOptions& options, std::ostream& progress, bool live) {
  if (absl::Status status = CheckOptions(spec, points, images, options); !status.ok()) return status;
  Artifact artifact;
  try {
    artifact = TrainingRun(spec, points, images, options, progress, live).Run();
  } catch (const std::invalid_argument& error) {
    return absl::InvalidArgumentError(error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  absl::StatusOr<std::unique_ptr<TorchNetwork>> simulation = TorchNetwork::Create(artifact);
  if (!simulation.ok()) return simulation.status();
  const ImageSet held_out = HeldOut(images, options.held_out);
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    absl::StatusOr<double> accuracy = EvaluateTop1(**simulation, static_cast<int>(p), held_out);
    if (!accuracy.ok()) return accuracy.status();
    artifact.points[p].info.accuracy = *accuracy;
    artifact.points[p].accuracy_images = held_out.count;
  }
  return artifact;
}

}  // namespace anybit
