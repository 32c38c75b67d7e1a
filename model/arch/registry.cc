#include "model/arch/registry.h"

#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/arch/basic_block_network.h"
#include "model/arch/bottleneck_network.h"
#include "model/arch/clip_network.h"
#include "model/arch/mobilenet_v2.h"
#include "model/arch/spec_writer.h"
#include "model/arch/vgg.h"

namespace anybit::model {
namespace {

// The data that a network is defined for; options change it.
struct Task {
  ImageTask image;
  int frames = 0;  // 0: images
};

struct Architecture {
  const char* name;
  Task task;
  NetworkSpec (*make)(const ImageTask&);
};

constexpr ImageTask kCifar = {};
constexpr ImageTask kFashion = {.channels = 1};
constexpr ImageTask kImageNet = {.side = 224, .classes = 1000};

NetworkSpec Fashion(const ImageTask& task) { return FashionNetwork(task); }

constexpr Architecture kArchitectures[] = {
    {"clip", {{.channels = 1, .width = 0.5}, 8}, Fashion},
    {"fashion", {kFashion}, Fashion},
    {"fashion_tiny", {{.channels = 1, .width = 0.125}}, Fashion},
    {"mobilenetv2", {kCifar}, MobileNetV2},
    {"mobilenetv2_imagenet", {kImageNet}, MobileNetV2ImageNet},
    {"resnet101_imagenet", {kImageNet}, ResNet101ImageNet},
    {"resnet110", {kCifar}, ResNet110},
    {"resnet152_imagenet", {kImageNet}, ResNet152ImageNet},
    {"resnet18", {kCifar}, ResNet18},
    {"resnet18_imagenet", {kImageNet}, ResNet18ImageNet},
    {"resnet20", {kCifar}, ResNet20},
    {"resnet20_wide", {{.width = 5}}, ResNet20},
    {"resnet32", {kCifar}, ResNet32},
    {"resnet34", {kCifar}, ResNet34},
    {"resnet34_imagenet", {kImageNet}, ResNet34ImageNet},
    {"resnet44", {kCifar}, ResNet44},
    {"resnet50", {kCifar}, ResNet50},
    {"resnet50_imagenet", {kImageNet}, ResNet50ImageNet},
    {"resnet56", {kCifar}, ResNet56},
    {"vgg16", {kCifar}, Vgg16},
};

absl::Status ParseNumber(absl::string_view option, absl::string_view value, int lowest, int highest, int& number) {
  if (!absl::SimpleAtoi(value, &number) || number < lowest || number > highest) {
    return absl::InvalidArgumentError(
        absl::StrCat("option ", option, " is '", value, "', expected a whole number of ", lowest, "..", highest));
  }
  return absl::OkStatus();
}

absl::Status ApplyOption(absl::string_view option, absl::string_view value, Task& task) {
  if (option == "classes") return ParseNumber(option, value, 2, 65536, task.image.classes);
  if (option == "side") return ParseNumber(option, value, 1, 4096, task.image.side);
  if (option == "channels") return ParseNumber(option, value, 1, 4096, task.image.channels);
  if (option == "frames") return ParseNumber(option, value, 1, 256, task.frames);
  if (option != "width") {
    return absl::InvalidArgumentError(
        absl::StrCat("no option '", option, "'; known: classes, side, channels, frames, width"));
  }
  double width = 0;
  if (!absl::SimpleAtod(value, &width) || !(width >= 1.0 / 64 && width <= 16)) {
    return absl::InvalidArgumentError(absl::StrCat("option width is '", value, "', expected a number of 1/64..16"));
  }
  task.image.width *= width;
  return absl::OkStatus();
}

absl::StatusOr<NetworkSpec> Make(const Architecture& architecture, absl::string_view options) {
  Task task = architecture.task;
  std::set<absl::string_view> given;
  for (absl::string_view item : absl::StrSplit(options, ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> option = absl::StrSplit(item, absl::MaxSplits('=', 1));
    if (absl::Status status = ApplyOption(option.first, option.second, task); !status.ok()) return status;
    if (!given.insert(option.first).second) {
      return absl::InvalidArgumentError(absl::StrCat("option ", option.first, " is given twice"));
    }
  }
  NetworkSpec spec = architecture.make(task.image);
  spec.set_name(architecture.name);
  if (absl::StartsWith(architecture.name, "fashion")) {
    spec.set_name("fashion");
    given.erase("width");
    if (given.empty()) *spec.mutable_labels() = FashionNetwork(1).labels();
  }
  if (task.frames > 0) spec = ClipNetwork(std::move(spec), task.frames);
  if (absl::Status status = PlanNetwork(spec).status(); !status.ok()) return status;
  return spec;
}

}  // namespace

std::vector<std::string> ArchitectureNames() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.push_back(architecture.name);
  return names;
}

absl::StatusOr<NetworkSpec> ArchitectureByName(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  for (const Architecture& architecture : kArchitectures) {
    if (parts.first != architecture.name) continue;
    absl::StatusOr<NetworkSpec> spec = Make(architecture, parts.second);
    if (spec.ok()) return spec;
    return absl::Status(spec.status().code(), absl::StrCat("architecture '", text, "': ", spec.status().message()));
  }
  return absl::NotFoundError(
      absl::StrCat("no architecture '", parts.first, "'; known: ", absl::StrJoin(ArchitectureNames(), ", ")));
}

}  // namespace anybit::model
