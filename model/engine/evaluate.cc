#include "model/engine/evaluate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/data/read_rows.h"

namespace anybit::model {

int Top1(std::span<const float> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

absl::StatusOr<double> EvaluateTop1(const AdaptiveNetwork& network, PointId point, const ExampleSet& examples) {
  constexpr int64_t kRows = 50;  // of a batch: enough to fill the kernels, little memory
  const int64_t classes = network.description().output.elements;
  const int64_t elements = examples.shape().elements();
  if (elements != network.description().input.elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of ", elements, " codes for an input of ", network.description().input.elements));
  }
  if (examples.count() == 0) return absl::InvalidArgumentError("no examples to evaluate");
  const auto scratch = network.MakeScratch(kRows);
  std::vector<uint8_t> input(kRows * elements);
  std::vector<float> logits(kRows * classes);
  int64_t correct = 0;
  for (int64_t first = 0; first < examples.count(); first += kRows) {
    const int64_t rows = std::min(kRows, examples.count() - first);
    const std::span<uint8_t> in = std::span(input).first(rows * elements);
    const std::span<float> out = std::span(logits).first(rows * classes);
    if (absl::Status status = ReadRows(examples, first, rows, in); !status.ok()) return status;
    if (absl::Status status = network.Run(point, in, out, *scratch); !status.ok()) return status;
    for (int64_t row = 0; row < rows; ++row) {
      correct += Top1(out.subspan(row * classes, classes)) == examples.label(first + row);
    }
  }
  return static_cast<double>(correct) / static_cast<double>(examples.count());
}

}  // namespace anybit::model
