#include "model/evaluate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace anybit {

int Top1(std::span<const float> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

absl::StatusOr<double> EvaluateTop1(const AdaptiveNetwork& network, int point, const ImageSet& images) {
  constexpr int64_t kRows = 50;
  const int64_t classes = network.description().output.elements;
  if (images.side * images.side != network.description().input.elements) {
    return absl::InvalidArgumentError(absl::StrCat("images of ", images.side * images.side, " pixels for an input of ",
                                                   network.description().input.elements));
  }
  if (images.count == 0) return absl::InvalidArgumentError("no images to evaluate");
  const auto scratch = network.MakeScratch(kRows);
  std::vector<float> logits(kRows * classes);
  int64_t correct = 0;
  for (int64_t first = 0; first < images.count; first += kRows) {
    const int64_t rows = std::min(kRows, images.count - first);
    const std::span<float> out = std::span(logits).first(rows * classes);
    if (absl::Status status = network.Run(point, images.images(first, rows), out, *scratch); !status.ok()) return status;
    for (int64_t row = 0; row < rows; ++row) {
      correct += Top1(out.subspan(row * classes, classes)) == images.labels[first + row];
    }
  }
  return static_cast<double>(correct) / static_cast<double>(images.count);
}

}  // namespace anybit
