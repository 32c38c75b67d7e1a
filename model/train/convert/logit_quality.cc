#include "model/train/convert/logit_quality.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "model/data/read_rows.h"
#include "model/engine/evaluate.h"

namespace anybit::model::train {
namespace {

constexpr int kBatch = 16;
constexpr double kMostDecibels = 120;  // floats have no more

}  // namespace

double DecibelsOf(double signal, double noise) {
  if (signal <= 0) return noise <= 0 ? kMostDecibels : -kMostDecibels;
  return noise <= 0 ? kMostDecibels : std::clamp(10 * std::log10(signal / noise), -kMostDecibels, kMostDecibels);
}

LogitQuality CompareLogits(std::span<const float> exact, std::span<const float> logits, int classes) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    signal += double{exact[i]} * exact[i];
    noise += (double{exact[i]} - logits[i]) * (double{exact[i]} - logits[i]);
  }
  const size_t width = static_cast<size_t>(classes), rows = exact.size() / width;
  size_t same = 0;
  for (size_t row = 0; row < rows; ++row) {
    same += Top1(exact.subspan(row * width, width)) == Top1(logits.subspan(row * width, width)) ? 1 : 0;
  }
  return {.agreement = rows == 0 ? 0 : static_cast<double>(same) / static_cast<double>(rows),
          .sqnr = DecibelsOf(signal, noise)};
}

absl::StatusOr<std::vector<float>> LogitsOf(const AdaptiveNetwork& network, PointId point, const ExampleSet& rows) {
  const int64_t classes = network.description().output.elements, elements = rows.shape().elements();
  std::vector<float> logits(static_cast<size_t>(rows.count() * classes));
  std::vector<uint8_t> codes(static_cast<size_t>(kBatch * elements));
  const std::unique_ptr<AdaptiveNetwork::Scratch> scratch = network.MakeScratch(kBatch);
  for (int64_t first = 0; first < rows.count(); first += kBatch) {
    const int64_t count = std::min<int64_t>(kBatch, rows.count() - first);
    const std::span<uint8_t> batch = std::span(codes).first(static_cast<size_t>(count * elements));
    if (absl::Status status = ReadRows(rows, first, count, batch); !status.ok()) return status;
    const std::span<float> out =
        std::span(logits).subspan(static_cast<size_t>(first * classes), static_cast<size_t>(count * classes));
    if (absl::Status status = network.Run(point, batch, out, *scratch); !status.ok()) return status;
  }
  return logits;
}

}  // namespace anybit::model::train
