#include "model/arch/basic_block_network.h"

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// Appends nodes to a spec and remembers the tensor that the next one reads.
class SpecWriter {
 public:
  explicit SpecWriter(NetworkSpec& spec) : spec_(spec) {}

  const std::string& last() const { return last_; }

  std::string Conv(const std::string& name, const std::string& input, int channels, int kernel, int stride,
                   const std::string& residual = "") {
    proto::Node& node = Add(name, input);
    if (!residual.empty()) node.add_inputs(residual);
    node.mutable_conv()->set_out_channels(channels);
    node.mutable_conv()->set_kernel(kernel);
    node.mutable_conv()->set_stride(stride);
    node.mutable_conv()->set_padding(kernel / 2);
    return name;
  }

  void MaxPool(const std::string& name, int size) { Add(name, last_).mutable_max_pool()->set_size(size); }
  void GlobalPool(const std::string& name) { Add(name, last_).mutable_global_pool(); }
  void Linear(const std::string& name, int features) { Add(name, last_).mutable_linear()->set_out_features(features); }

 private:
  proto::Node& Add(const std::string& name, const std::string& input) {
    proto::Node& node = *spec_.add_nodes();
    node.set_name(name);
    node.add_inputs(input);
    last_ = name;
    return node;
  }

  NetworkSpec& spec_;
  std::string last_ = "input";
};

}  // namespace

NetworkSpec BasicBlockNetwork(const BasicBlockShape& shape) {
  NetworkSpec spec;
  spec.set_name(shape.name);
  spec.mutable_input()->set_name("image");
  for (int extent : {shape.side, shape.side, shape.input_channels}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(shape.classes);

  SpecWriter writer(spec);
  int channels = shape.stages.front();
  writer.Conv("stem", "input", channels, 3, shape.stem_stride);
  for (size_t stage = 0; stage < shape.stages.size(); ++stage) {
    const std::string stage_name = absl::StrCat("stage", stage + 1);
    const bool shrinks = stage > 0;
    if (shrinks && shape.downsampling == Downsampling::kMaxPool) writer.MaxPool(absl::StrCat(stage_name, ".pool"), 2);
    for (int block = 0; block < shape.blocks_per_stage; ++block) {
      const std::string name = absl::StrCat(stage_name, ".block", block + 1);
      const std::string input = writer.last();
      const int stride = shrinks && block == 0 && shape.downsampling == Downsampling::kStride ? 2 : 1;
      std::string shortcut = input;
      if (stride != 1 || channels != shape.stages[stage]) {
        channels = shape.stages[stage];
        shortcut = writer.Conv(absl::StrCat(name, ".shortcut"), input, channels, 1, stride);
      }
      const std::string inner = writer.Conv(absl::StrCat(name, ".conv1"), input, channels, 3, stride);
      writer.Conv(absl::StrCat(name, ".conv2"), inner, channels, 3, 1, shortcut);
    }
  }
  writer.GlobalPool("pool");
  writer.Linear("head", shape.classes);
  return spec;
}

NetworkSpec FashionNetwork(int width_divisor) {
  NetworkSpec spec = BasicBlockNetwork({.name = "fashion",
                                        .stages = {64 / width_divisor, 128 / width_divisor, 256 / width_divisor}});
  for (const char* label : {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                            "Ankle boot"}) {
    spec.add_labels(label);
  }
  return spec;
}

NetworkSpec ResNet18() {
  return BasicBlockNetwork({.name = "resnet18",
                            .input_channels = 3,
                            .stem_stride = 1,
                            .stages = {64, 128, 256, 512},
                            .blocks_per_stage = 2,
                            .downsampling = Downsampling::kStride});
}

NetworkSpec ResNet20() {
  return BasicBlockNetwork({.name = "resnet20",
                            .input_channels = 3,
                            .stem_stride = 1,
                            .stages = {16, 32, 64},
                            .blocks_per_stage = 3,
                            .downsampling = Downsampling::kStride});
}

}  // namespace anybit
