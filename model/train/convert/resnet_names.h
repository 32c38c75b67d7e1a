// The names of a ResNet's tensors in files of other tools: torchvision's and timm's.
//
// A node of model/arch ("stage1.block1.conv2") maps to the names of its tensors ("layer1.0.conv2"). Families of files
// differ in the names of shortcuts and of the head.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_RESNET_NAMES_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_RESNET_NAMES_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/format/network_spec.h"

namespace anybit::model::train {

// The tensors of one layer: `weight`.weight, and `norm`.{weight,bias,running_mean,running_var} or, of the last layer,
// `weight`.bias.
struct LayerNames {
  std::string weight;
  std::string norm;
};

// The names that differ between families; torchvision's by default.
struct NameFamily {
  std::string shortcut = "downsample";  // or "shortcut"
  std::string head = "fc";              // or "linear"
};

// The names of the tensors of node `node`; none where a ResNet has no such layer.
std::optional<LayerNames> NamesOf(const std::string& node, const NameFamily& family);

// InvalidArgument for a node without names.
absl::Status NamelessNode(const PlannedNode& node);

// `name` without the prefixes of DataParallel, torch.compile and training frameworks ("module.", "_orig_mod.", ...).
absl::string_view WithoutWrappers(absl::string_view name);

// Whether `name`, without wrappers, belongs to a ResNet's stem, blocks or head.
bool IsOfResNet(absl::string_view name);

// Metadata key of our own exports of networks with a ReLU after the shortcuts' convolutions. No other family has one.
inline constexpr char kShortcutRelu[] = "anybit.shortcut_relu";

bool IsShortcut(const PlannedNode& node);

// InvalidArgument where a shortcut of `plan` has a ReLU and the file's shortcuts have none (`relu` false), or the other
// way round: the same names then belong to another network.
absl::Status CheckShortcuts(const NetworkPlan& plan, bool relu);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_RESNET_NAMES_H_
