#include "model/train/search/score_points.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/strings/str_cat.h"
#include "model/data/read_rows.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kRows = 64;

// -log of the softmax of `label`.
double CrossEntropy(std::span<const float> logits, int label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[label];
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

absl::Status AddRows(const PackedNetwork& network, PointId point, AdaptiveNetwork::Scratch& scratch,
                     std::span<const uint8_t> pixels, const ExampleSet& rows, int64_t first, Score& score) {
  const int64_t classes = network.description().output.elements;
  const int64_t count = static_cast<int64_t>(pixels.size()) / network.description().input.elements;
  std::vector<float> logits(count * classes);
  if (absl::Status status = network.Run(point, pixels, logits, scratch); !status.ok()) return status;
  for (int64_t row = 0; row < count; ++row) {
    const std::span<const float> of_row = std::span(logits).subspan(row * classes, classes);
    const int label = rows.label(first + row);
    score.loss += CrossEntropy(of_row, label);
    score.accuracy += Top1(of_row) == label ? 1 : 0;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Score>> ScorePoints(const Artifact& artifact, const std::vector<ArtifactPoint>& points,
                                               const ExampleSet& rows, const KernelTable& kernels, int threads) {
  absl::StatusOr<std::unique_ptr<PackedNetwork>> network = PackedNetwork::Create(
      {.spec = artifact.spec, .store = artifact.store, .points = points}, kernels, {.threads = threads});
  if (!network.ok()) return network.status();
  if (absl::Status status = CheckRows((*network)->description(), rows); !status.ok()) return status;
  const std::unique_ptr<AdaptiveNetwork::Scratch> scratch = (*network)->MakeScratch(kRows);
  std::vector<uint8_t> pixels(kRows * rows.shape().elements());
  std::vector<Score> scores(points.size());
  for (int64_t first = 0; first < rows.count(); first += kRows) {
    const int64_t count = std::min(kRows, rows.count() - first);
    const std::span<uint8_t> part = std::span(pixels).first(count * rows.shape().elements());
    if (absl::Status status = ReadRows(rows, first, count, part); !status.ok()) return status;
    for (size_t i = 0; i < points.size(); ++i) {
      absl::Status status = AddRows(**network, ToPointId(static_cast<int>(i)), *scratch, part, rows, first, scores[i]);
      if (!status.ok()) return status;
    }
  }
  for (Score& score : scores) {
    score.loss /= static_cast<double>(rows.count());
    score.accuracy /= static_cast<double>(rows.count());
  }
  return scores;
}

}  // namespace anybit::model::train
