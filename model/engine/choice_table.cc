#include "model/engine/choice_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::model {

ChoiceTable::ChoiceTable(Names names)
    : names_(std::move(names)), table_(names_.points.size(), std::vector<AlgorithmNames>(names_.layers.size())) {}

KernelChoices ChoiceTable::choices() const {
  KernelChoices choices{.isa = names_.isa, .layers = {}};
  absl::MutexLock lock(&mutex_);
  for (size_t point = 0; point < table_.size(); ++point) {
    for (size_t layer = 0; layer < names_.layers.size(); ++layer) {
      if (table_[point][layer].front().empty()) continue;
      choices.layers.push_back(
          {.point = names_.points[point], .node = names_.layers[layer], .algorithms = table_[point][layer]});
    }
  }
  return choices;
}

absl::Status ChoiceTable::Set(const KernelChoices& choices) {
  if (choices.isa != names_.isa) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel choices are for instruction set '", choices.isa, "', not '", names_.isa, "'"));
  }
  absl::MutexLock lock(&mutex_);
  std::vector<std::vector<AlgorithmNames>> table = table_;
  for (const LayerChoice& choice : choices.layers) {
    if (absl::Status status = Apply(choice, table); !status.ok()) return status;
  }
  table_ = std::move(table);
  return absl::OkStatus();
}

absl::Status ChoiceTable::Apply(const LayerChoice& choice, std::vector<std::vector<AlgorithmNames>>& table) const {
  const auto point = std::find(names_.points.begin(), names_.points.end(), choice.point);
  const auto layer = std::find(names_.layers.begin(), names_.layers.end(), choice.node);
  if (point == names_.points.end() || layer == names_.layers.end() || layer->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel choice for point '", choice.point, "', layer '", choice.node, "': no such convolution"));
  }
  for (const std::string& name : choice.algorithms) {
    if (!names_.is_algorithm(name)) {
      return absl::InvalidArgumentError(absl::StrCat("kernel choice '", name, "' for point '", choice.point,
                                                     "', layer '", choice.node, "': no such algorithm"));
    }
  }
  table[point - names_.points.begin()][layer - names_.layers.begin()] = choice.algorithms;
  return absl::OkStatus();
}

std::vector<AlgorithmNames> ChoiceTable::At(PointId point) const {
  absl::MutexLock lock(&mutex_);
  return table_[ToIndex(point)];
}

void ChoiceTable::SetAt(PointId point, std::vector<AlgorithmNames> choices) {
  absl::MutexLock lock(&mutex_);
  table_[ToIndex(point)] = std::move(choices);
}

}  // namespace anybit::model
