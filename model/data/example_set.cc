#include "model/data/example_set.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace anybit::model {
namespace {

int ClassesOf(const std::vector<uint16_t>& labels, const std::vector<std::string>& names) {
  if (!names.empty()) return static_cast<int>(names.size());
  return labels.empty() ? 0 : 1 + *std::max_element(labels.begin(), labels.end());
}

std::vector<uint16_t> LabelsOf(const ExampleSet& set, const std::vector<int64_t>& indices) {
  std::vector<uint16_t> labels;
  labels.reserve(indices.size());
  for (int64_t i : indices) labels.push_back(static_cast<uint16_t>(set.label(i)));
  return labels;
}

}  // namespace

std::string ToText(const ExampleShape& shape) {
  const std::string image = absl::StrCat(shape.height, "x", shape.width, "x", shape.channels);
  return shape.frames == 1 ? image : absl::StrCat(shape.frames, "x", image);
}

absl::Status ExampleSet::Check(int64_t i) const {
  std::vector<uint8_t> row(shape_.elements());
  return Read(i, row);
}

MemoryExamples::MemoryExamples(ExampleShape shape, std::vector<uint16_t> labels, std::vector<uint8_t> pixels,
                               std::vector<std::string> class_names)
    : ExampleSet(shape, RowCost::kCopy, ClassesOf(labels, class_names), labels, class_names),
      pixels_(std::move(pixels)) {}

absl::Status MemoryExamples::Read(int64_t i, std::span<uint8_t> row) const {
  const std::span<const uint8_t> from = rows(i, 1);
  std::copy(from.begin(), from.end(), row.begin());
  return absl::OkStatus();
}

Subset::Subset(const ExampleSet& whole, std::vector<int64_t> indices)
    : ExampleSet(whole.shape(), whole.row_cost(), whole.classes(), LabelsOf(whole, indices), whole.class_names()),
      whole_(&whole),
      indices_(std::move(indices)) {
  set_origin(whole.origin());
}

Subset::Subset(std::unique_ptr<const ExampleSet> whole, std::vector<int64_t> indices)
    : Subset(*whole, std::move(indices)) {
  owned_ = std::move(whole);
}

HeldOutSplit HoldOut(const ExampleSet& whole, int64_t held_out) {
  constexpr uint64_t kSeed = 0x686f6c64;
  std::vector<int64_t> order = RandomOrder(whole.count(), kSeed);
  const auto middle = order.end() - held_out;
  // In the order of the set, since disks read sequentially faster.
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  return {Subset(whole, {order.begin(), middle}), Subset(whole, {middle, order.end()})};
}

}  // namespace anybit::model
