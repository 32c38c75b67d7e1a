#include "model/arch/bottleneck_network.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

constexpr int kExpansion = 4;

struct Stage {
  int channels;  // of the 3x3 convolutions
  int blocks;
};
constexpr Stage kStages[] = {{64, 3}, {128, 4}, {256, 6}, {512, 3}};

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

NetworkSpec MakeResNet50(const char* name, const ImageTask& task, bool imagenet_stem) {
  SpecWriter writer(name, task);
  const int stem = ScaledChannels(kStages[0].channels, task.width);
  if (imagenet_stem) {
    writer.Conv("stem", {.channels = stem, .kernel = 7, .stride = 2});
    writer.MaxPool("stem.pool", 3, 2, 1);
  } else {
    writer.Conv("stem", {.channels = stem});
  }
  int stage = 0;
  for (const auto& [channels, blocks] : kStages) {
    ++stage;
    for (int block = 1; block <= blocks; ++block) {
      WriteBlock(absl::StrCat("stage", stage, ".block", block), ScaledChannels(channels, task.width),
                 stage > 1 && block == 1 ? 2 : 1, writer);
    }
  }
  return writer.FinishWithHead();
}

}  // namespace

NetworkSpec ResNet50(const ImageTask& task) { return MakeResNet50("resnet50", task, false); }
NetworkSpec ResNet50ImageNet(const ImageTask& task) { return MakeResNet50("resnet50_imagenet", task, true); }

}  // namespace anybit::model
