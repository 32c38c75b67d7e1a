#include "model/arch/bottleneck_network.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

constexpr int kExpansion = 4;

constexpr int kStages = 4;
constexpr int kChannels[kStages] = {64, 128, 256, 512};  // of the 3x3 convolutions
using Blocks = std::array<int, kStages>;                 // of each stage

void WriteBlock(const std::string& name, int inner, int stride, SpecWriter& writer) {
  const std::string input = writer.last();
  const int outer = kExpansion * inner;
  std::string shortcut = input;
  if (stride != 1 || writer.channels() != outer) {
    shortcut = writer.Conv(absl::StrCat(name, ".shortcut"), input,
                           {.channels = outer, .kernel = 1, .stride = stride, .relu = false});
  }
  writer.Conv(absl::StrCat(name, ".conv1"), input, {.channels = inner, .kernel = 1});
  writer.Conv(absl::StrCat(name, ".conv2"), {.channels = inner, .stride = stride});
  writer.Conv(absl::StrCat(name, ".conv3"), {.channels = outer, .kernel = 1, .residual = shortcut});
}

NetworkSpec MakeResNet(const char* name, const ImageTask& task, const Blocks& blocks, bool imagenet_stem) {
  SpecWriter writer(name, task);
  const int stem = ScaledChannels(kChannels[0], task.width);
  if (imagenet_stem) {
    writer.Conv("stem", {.channels = stem, .kernel = 7, .stride = 2});
    writer.MaxPool("stem.pool", 3, 2, 1);
  } else {
    writer.Conv("stem", {.channels = stem});
  }
  for (int stage = 0; stage < kStages; ++stage) {
    for (int block = 0; block < blocks[stage]; ++block) {
      WriteBlock(absl::StrCat("stage", stage + 1, ".block", block + 1), ScaledChannels(kChannels[stage], task.width),
                 stage > 0 && block == 0 ? 2 : 1, writer);
    }
  }
  return writer.FinishWithHead();
}

}  // namespace

NetworkSpec ResNet50(const ImageTask& task) { return MakeResNet("resnet50", task, {3, 4, 6, 3}, false); }
NetworkSpec ResNet50ImageNet(const ImageTask& task) {
  return MakeResNet("resnet50_imagenet", task, {3, 4, 6, 3}, true);
}
NetworkSpec ResNet101ImageNet(const ImageTask& task) {
  return MakeResNet("resnet101_imagenet", task, {3, 4, 23, 3}, true);
}
NetworkSpec ResNet152ImageNet(const ImageTask& task) {
  return MakeResNet("resnet152_imagenet", task, {3, 8, 36, 3}, true);
}

}  // namespace anybit::model
