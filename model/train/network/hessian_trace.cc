#include "model/train/network/hessian_trace.h"

#include <torch/torch.h>

#include <cmath>
#include <exception>
#include <random>

#include "absl/strings/str_cat.h"
#include "model/format/full_precision_point.h"
#include "model/train/network/losses.h"
#include "model/train/network/trainable_network.h"

namespace anybit::model::train {
namespace {

constexpr double kStep = 0.01;  // of a layer's root mean square

torch::Tensor Signs(const torch::Tensor& like, std::mt19937_64& random) {
  torch::Tensor signs = torch::empty(like.sizes());
  float* values = signs.data_ptr<float>();
  for (int64_t i = 0; i < signs.numel(); ++i) values[i] = random() % 2 == 0 ? 1.0F : -1.0F;
  return signs;
}

class TraceEstimate {
 public:
  TraceEstimate(const Artifact& artifact, torch::Tensor rows, torch::Tensor labels)
      : network_(artifact.spec, std::vector<PointRecipe>{FullPrecision()}, *ParseRecipe("separate"), /*seed=*/1),
        rows_(std::move(rows)),
        labels_(std::move(labels)) {
    const auto from = FullPrecisionPoint(artifact) - artifact.points.data();
    network_->StartFrom(artifact, static_cast<int>(from), 0, rows_);
    for (const torch::Tensor& weights : network_->weights()) {
      weights_.push_back(weights.detach().clone());
      steps_.push_back(kStep * weights_.back().square().mean().sqrt().item<double>());
    }
  }

  size_t layers() const { return weights_.size(); }

  // v'Hv of each layer, of one random v.
  std::vector<double> Sample(std::mt19937_64& random) {
    std::vector<torch::Tensor> signs;
    for (const torch::Tensor& weights : weights_) signs.push_back(Signs(weights, random));
    const std::vector<torch::Tensor> above = GradientsAt(signs, 1), below = GradientsAt(signs, -1);
    std::vector<double> products;
    for (size_t layer = 0; layer < layers(); ++layer) {
      const double moved = (signs[layer] * (above[layer] - below[layer])).sum(torch::kDouble).item<double>();
      products.push_back(steps_[layer] > 0 ? moved / (2 * steps_[layer]) : 0);
    }
    return products;
  }

 private:
  static PointRecipe FullPrecision() {
    return {.name = "start", .full_precision = true, .weight_bits = 32, .activation_bits = 32};
  }

  std::vector<torch::Tensor> GradientsAt(const std::vector<torch::Tensor>& signs, double direction) {
    const std::vector<torch::Tensor> parameters = network_->weights();
    for (size_t layer = 0; layer < layers(); ++layer) {
      torch::NoGradGuard no_gradient;
      parameters[layer].copy_(weights_[layer] + direction * steps_[layer] * signs[layer]);
      parameters[layer].mutable_grad() = torch::Tensor();
    }
    network_->WeightsChanged();
    LabelLoss(network_->Forward(0, rows_, /*momentum=*/0), labels_, 0).backward();
    network_->PullBackGradients();
    std::vector<torch::Tensor> gradients;
    for (const torch::Tensor& weights : parameters) gradients.push_back(weights.grad().clone());
    return gradients;
  }

  TrainableNetwork network_;
  const torch::Tensor rows_, labels_;
  std::vector<torch::Tensor> weights_;
  std::vector<double> steps_;
};

LayerTraces MeansOf(const std::vector<std::vector<double>>& samples, size_t layers) {
  LayerTraces traces;
  const auto count = static_cast<double>(samples.size());
  for (size_t layer = 0; layer < layers; ++layer) {
    double sum = 0, squares = 0;
    for (const std::vector<double>& sample : samples) {
      sum += sample[layer];
      squares += sample[layer] * sample[layer];
    }
    traces.mean.push_back(sum / count);
    traces.error.push_back(std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1) / count)));
  }
  return traces;
}

absl::Status Check(const Artifact& artifact, std::span<const uint8_t> rows, std::span<const int> labels, int samples) {
  if (FullPrecisionPoint(artifact) == nullptr) {
    return absl::InvalidArgumentError("traces of the Hessian need a full-precision point");
  }
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  int64_t elements = 1;
  for (const int64_t extent : artifact.spec.input().shape()) elements *= extent;
  if (labels.empty() || rows.size() != labels.size() * elements) {
    return absl::InvalidArgumentError(
        absl::StrCat(rows.size(), " codes for ", labels.size(), " labels of rows of ", elements));
  }
  for (const int label : labels) {
    if (label < 0 || label >= plan->nodes.back().out.channels) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", label, " of a network of ", plan->nodes.back().out.channels, " classes"));
    }
  }
  if (samples < 2) return absl::InvalidArgumentError(absl::StrCat(samples, " samples; at least 2 have an error"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LayerTraces> TracesOf(const Artifact& artifact, std::span<const uint8_t> rows,
                                     std::span<const int> labels, int samples, uint64_t seed) {
  if (absl::Status status = Check(artifact, rows, labels, samples); !status.ok()) return status;
  try {
    std::vector<int64_t> shape = {static_cast<int64_t>(labels.size())};
    for (const int64_t extent : artifact.spec.input().shape()) shape.push_back(extent);
    torch::Tensor images = torch::empty(shape, torch::kUInt8);
    std::copy(rows.begin(), rows.end(), images.data_ptr<uint8_t>());
    TraceEstimate estimate(artifact, images,
                           torch::tensor(std::vector<int64_t>(labels.begin(), labels.end()), torch::kInt64));
    std::mt19937_64 random(seed);
    std::vector<std::vector<double>> products;
    for (int sample = 0; sample < samples; ++sample) products.push_back(estimate.Sample(random));
    return MeansOf(products, estimate.layers());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

}  // namespace anybit::model::train
