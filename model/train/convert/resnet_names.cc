#include "model/train/convert/resnet_names.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace anybit::model::train {
namespace {

// Prefixes of DataParallel, torch.compile and training frameworks.
constexpr const char* kWrappers[] = {"module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "state_dict."};

}  // namespace

std::optional<LayerNames> NamesOf(const std::string& node, const NameFamily& family) {
  if (node == "stem") return LayerNames{"conv1", "bn1"};
  if (node == "head") return LayerNames{family.head, ""};
  const std::vector<std::string> parts = absl::StrSplit(node, '.');
  if (parts.size() != 3) return std::nullopt;
  absl::string_view stage = parts[0], block = parts[1], layer = parts[2];
  int stage_number = 0, block_number = 0;
  if (!absl::ConsumePrefix(&stage, "stage") || !absl::SimpleAtoi(stage, &stage_number)) return std::nullopt;
  if (!absl::ConsumePrefix(&block, "block") || !absl::SimpleAtoi(block, &block_number)) return std::nullopt;
  const std::string prefix = absl::StrCat("layer", stage_number, ".", block_number - 1, ".");
  if (layer == "shortcut") {
    return LayerNames{absl::StrCat(prefix, family.shortcut, ".0"), absl::StrCat(prefix, family.shortcut, ".1")};
  }
  if (!absl::ConsumePrefix(&layer, "conv")) return std::nullopt;
  return LayerNames{absl::StrCat(prefix, "conv", layer), absl::StrCat(prefix, "bn", layer)};
}

bool IsShortcut(const PlannedNode& node) { return absl::EndsWith(node.name, ".shortcut"); }

absl::Status CheckShortcuts(const NetworkPlan& plan, bool relu) {
  for (const PlannedNode& node : plan.nodes) {
    if (!IsShortcut(node) || node.relu == relu) continue;
    return absl::InvalidArgumentError(absl::StrCat("node '", node.name, "' has ", node.relu ? "a" : "no",
                                                   " ReLU, the file's shortcuts have ", relu ? "one" : "none"));
  }
  return absl::OkStatus();
}

absl::Status NamelessNode(const PlannedNode& node) {
  return absl::InvalidArgumentError(
      absl::StrCat("node '", node.name, "' is none of a ResNet's: no tensor is known to belong to it"));
}

absl::string_view WithoutWrappers(absl::string_view name) {
  const auto strip = [&] {
    return std::any_of(std::begin(kWrappers), std::end(kWrappers),
                       [&](const char* wrapper) { return absl::ConsumePrefix(&name, wrapper); });
  };
  while (strip()) {
  }
  return name;
}

bool IsOfResNet(absl::string_view name) {
  absl::string_view part = name.substr(0, name.find('.'));
  if (part == "conv1" || part == "bn1" || part == "fc" || part == "linear") return true;
  int stage = 0;
  return absl::ConsumePrefix(&part, "layer") && absl::SimpleAtoi(part, &stage);
}

}  // namespace anybit::model::train
