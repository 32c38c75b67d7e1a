#include "model/train/search/score_points.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/data/read_rows.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kRows = 64;

// Temperatures are searched from 1/kRange to kRange, to a ratio of 1.0002.
constexpr double kRange = 32;
constexpr int kSearchSteps = 22;

// The mean of -log of the softmax of each label's logit, of logits divided by `temperature`.
double CrossEntropy(std::span<const float> logits, std::span<const int> labels, double temperature) {
  const size_t classes = logits.size() / labels.size();
  double total = 0;
  for (size_t row = 0; row < labels.size(); ++row) {
    const std::span<const float> of_row = logits.subspan(row * classes, classes);
    const double largest = *std::max_element(of_row.begin(), of_row.end());
    double sum = 0;
    for (const float logit : of_row) sum += std::exp((logit - largest) / temperature);
    total += std::log(sum) + (largest - of_row[labels[row]]) / temperature;
  }
  return total / static_cast<double>(labels.size());
}

absl::Status CheckRows(const NetworkDescription& network, const ExampleSet& rows) {
  if (rows.shape().elements() != network.input.elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of ", rows.shape().elements(), " codes for a network that reads ", network.input.elements));
  }
  if (rows.classes() > network.output.elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of ", rows.classes(), " classes for a network of ", network.output.elements));
  }
  if (rows.count() == 0) return absl::InvalidArgumentError("no rows to score points on");
  return absl::OkStatus();
}

// Appends the logits of `pixels`.
absl::Status AddRows(const PackedNetwork& network, PointId point, AdaptiveNetwork::Scratch& scratch,
                     std::span<const uint8_t> pixels, std::vector<float>& logits) {
  const int64_t count = static_cast<int64_t>(pixels.size()) / network.description().input.elements;
  const size_t first = logits.size();
  logits.resize(first + count * network.description().output.elements);
  return network.Run(point, pixels, std::span(logits).subspan(first), scratch);
}

}  // namespace

// In 1 / temperature the mean cross-entropy is convex, so that one minimum is the least.
double CalibratedLoss(std::span<const float> logits, std::span<const int> labels) {
  double low = -std::log(kRange), high = std::log(kRange);
  const auto loss = [&](double log_temperature) { return CrossEntropy(logits, labels, std::exp(log_temperature)); };
  const double ratio = (std::sqrt(5.0) - 1) / 2;  // golden section
  double left = high - ratio * (high - low), right = low + ratio * (high - low);
  double at_left = loss(left), at_right = loss(right);
  for (int step = 0; step < kSearchSteps; ++step) {
    if (at_left <= at_right) {
      high = std::exchange(right, left);
      at_right = at_left;
      at_left = loss(left = high - ratio * (high - low));
    } else {
      low = std::exchange(left, right);
      at_left = at_right;
      at_right = loss(right = low + ratio * (high - low));
    }
  }
  return std::min(at_left, at_right);
}

absl::StatusOr<std::vector<Score>> ScorePoints(const Artifact& artifact, const std::vector<ArtifactPoint>& points,
                                               const ExampleSet& rows, const KernelTable& kernels, int threads) {
  absl::StatusOr<std::unique_ptr<PackedNetwork>> network = PackedNetwork::Create(
      {.spec = artifact.spec, .store = artifact.store, .points = points}, kernels, {.threads = threads});
  if (!network.ok()) return network.status();
  if (absl::Status status = CheckRows((*network)->description(), rows); !status.ok()) return status;
  const std::unique_ptr<AdaptiveNetwork::Scratch> scratch = (*network)->MakeScratch(kRows);
  std::vector<uint8_t> pixels(kRows * rows.shape().elements());
  std::vector<std::vector<float>> logits(points.size());
  for (int64_t first = 0; first < rows.count(); first += kRows) {
    const int64_t count = std::min(kRows, rows.count() - first);
    const std::span<uint8_t> part = std::span(pixels).first(count * rows.shape().elements());
    if (absl::Status status = ReadRows(rows, first, count, part); !status.ok()) return status;
    for (size_t i = 0; i < points.size(); ++i) {
      absl::Status status = AddRows(**network, ToPointId(static_cast<int>(i)), *scratch, part, logits[i]);
      if (!status.ok()) return status;
    }
  }
  std::vector<int> labels;
  for (int64_t row = 0; row < rows.count(); ++row) labels.push_back(rows.label(row));
  std::vector<Score> scores;
  for (const std::vector<float>& of_point : logits) {
    const size_t classes = of_point.size() / labels.size();
    Score& score = scores.emplace_back(Score{.loss = CalibratedLoss(of_point, labels)});
    for (size_t row = 0; row < labels.size(); ++row) {
      score.right.push_back(Top1(std::span(of_point).subspan(row * classes, classes)) == labels[row]);
    }
    score.accuracy = static_cast<double>(std::count(score.right.begin(), score.right.end(), true)) /
                     static_cast<double>(labels.size());
  }
  return scores;
}

}  // namespace anybit::model::train
