#include "model/arch/basic_block_network.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

std::vector<int> Scaled(std::vector<int> stages, double width) {
  for (int& channels : stages) channels = ScaledChannels(channels, width);
  return stages;
}

NetworkSpec PublishedResNet(const char* name, const ImageTask& task, const std::vector<int>& stages,
                            const std::vector<int>& blocks, bool imagenet_stem) {
  return BasicBlockNetwork({.name = name,
                            .side = task.side,
                            .input_channels = task.channels,
                            .stem_stride = 1,
                            .stages = Scaled(stages, task.width),
                            .blocks = blocks,
                            .downsampling = Downsampling::kStride,
                            .classes = task.classes,
                            .imagenet_stem = imagenet_stem,
                            .shortcut_relu = false});
}

NetworkSpec ResNet(const char* name, const ImageTask& task, const std::vector<int>& blocks, bool imagenet_stem) {
  return PublishedResNet(name, task, {64, 128, 256, 512}, blocks, imagenet_stem);
}

NetworkSpec CifarResNet(const char* name, const ImageTask& task, int blocks) {
  return PublishedResNet(name, task, {16, 32, 64}, {blocks, blocks, blocks}, /*imagenet_stem=*/false);
}

}  // namespace

NetworkSpec BasicBlockNetwork(const BasicBlockShape& shape) {
  SpecWriter writer(shape.name, {.side = shape.side, .channels = shape.input_channels, .classes = shape.classes});
  if (shape.imagenet_stem) {
    writer.Conv("stem", {.channels = shape.stages.front(), .kernel = 7, .stride = 2});
    writer.MaxPool("stem.pool", 3, 2, 1);
  } else {
    writer.Conv("stem", {.channels = shape.stages.front(), .stride = shape.stem_stride});
  }
  for (size_t stage = 0; stage < shape.stages.size(); ++stage) {
    const std::string stage_name = absl::StrCat("stage", stage + 1);
    const int channels = shape.stages[stage];
    const bool shrinks = stage > 0;
    if (shrinks && shape.downsampling == Downsampling::kMaxPool) writer.HalvingPool(absl::StrCat(stage_name, ".pool"));
    const int blocks = shape.blocks.empty() ? shape.blocks_per_stage : shape.blocks[stage];
    for (int block = 0; block < blocks; ++block) {
      const std::string name = absl::StrCat(stage_name, ".block", block + 1);
      const std::string input = writer.last();
      const int stride = shrinks && block == 0 && shape.downsampling == Downsampling::kStride ? 2 : 1;
      std::string shortcut = input;
      if (stride != 1 || channels != writer.channels()) {
        shortcut = writer.Conv(absl::StrCat(name, ".shortcut"), input,
                               {.channels = channels, .kernel = 1, .stride = stride, .relu = shape.shortcut_relu});
      }
      writer.Conv(absl::StrCat(name, ".conv1"), input, {.channels = channels, .stride = stride});
      writer.Conv(absl::StrCat(name, ".conv2"), {.channels = channels, .residual = shortcut});
    }
  }
  return writer.FinishWithHead();
}

NetworkSpec FashionNetwork(int width_divisor) {
  NetworkSpec spec = FashionNetwork({.channels = 1, .width = 1.0 / width_divisor});
  for (const char* label :
       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}) {
    spec.add_labels(label);
  }
  return spec;
}

NetworkSpec FashionNetwork(const ImageTask& task) {
  return BasicBlockNetwork({.name = "fashion",
                            .side = task.side,
                            .input_channels = task.channels,
                            .stages = Scaled({64, 128, 256}, task.width),
                            .classes = task.classes});
}

NetworkSpec ResNet18(const ImageTask& task) { return ResNet("resnet18", task, {2, 2, 2, 2}, false); }
NetworkSpec ResNet34(const ImageTask& task) { return ResNet("resnet34", task, {3, 4, 6, 3}, false); }
NetworkSpec ResNet18ImageNet(const ImageTask& task) { return ResNet("resnet18_imagenet", task, {2, 2, 2, 2}, true); }
NetworkSpec ResNet34ImageNet(const ImageTask& task) { return ResNet("resnet34_imagenet", task, {3, 4, 6, 3}, true); }

NetworkSpec ResNet20(const ImageTask& task) { return CifarResNet("resnet20", task, 3); }
NetworkSpec ResNet32(const ImageTask& task) { return CifarResNet("resnet32", task, 5); }
NetworkSpec ResNet44(const ImageTask& task) { return CifarResNet("resnet44", task, 7); }
NetworkSpec ResNet56(const ImageTask& task) { return CifarResNet("resnet56", task, 9); }
NetworkSpec ResNet110(const ImageTask& task) { return CifarResNet("resnet110", task, 18); }

}  // namespace anybit::model
