#include "model/arch/spec_writer.h"

#include <algorithm>
#include <cmath>

namespace anybit::model {

int ScaledChannels(int channels, double width) { return std::max(1, static_cast<int>(std::lround(channels * width))); }

SpecWriter::SpecWriter(const std::string& name, const ImageTask& task)
    : sizes_({{"input", {.side = task.side, .channels = task.channels}}}) {
  spec_.set_name(name);
  spec_.mutable_input()->set_name("image");
  for (int extent : {task.side, task.side, task.channels}) spec_.mutable_input()->add_shape(extent);
  spec_.mutable_output()->set_name("logits");
  spec_.mutable_output()->add_shape(task.classes);
}

std::string SpecWriter::Conv(const std::string& name, const std::string& input, const ConvOptions& options) {
  const int padding = options.kernel / 2;
  const int side = (sizes_.at(input).side + 2 * padding - options.kernel) / options.stride + 1;
  proto::Node& node = Add(name, input, {.side = side, .channels = options.channels});
  if (!options.residual.empty()) node.add_inputs(options.residual);
  proto::Conv& conv = *node.mutable_conv();
  conv.set_out_channels(options.channels);
  conv.set_kernel(options.kernel);
  conv.set_stride(options.stride);
  conv.set_padding(padding);
  if (options.depthwise) conv.set_groups(options.channels);
  if (!options.relu) conv.set_without_relu(true);
  return name;
}

std::string SpecWriter::MaxPool(const std::string& name, int size, int stride, int padding) {
  const Size out{.side = (side() + 2 * padding - size) / stride + 1, .channels = channels()};
  proto::MaxPool& pool = *Add(name, last_, out).mutable_max_pool();
  pool.set_size(size);
  pool.set_stride(stride);
  pool.set_padding(padding);
  return name;
}

std::string SpecWriter::HalvingPool(const std::string& name) {
  const Size in = sizes_.at(last_);
  proto::MaxPool& pool = *Add(name, last_, {.side = in.side / 2, .channels = in.channels}).mutable_max_pool();
  pool.set_size(2);
  if (in.side % 2 != 0) pool.set_stride(2);
  return name;
}

NetworkSpec SpecWriter::FinishWithHead() {
  const auto classes = static_cast<int>(spec_.output().shape(0));
  Add("pool", last_, {.side = 1, .channels = channels()}).mutable_global_pool();
  Add("head", last_, {.side = 1, .channels = classes}).mutable_linear()->set_out_features(classes);
  return spec_;
}

proto::Node& SpecWriter::Add(const std::string& name, const std::string& input, Size size) {
  proto::Node& node = *spec_.add_nodes();
  node.set_name(name);
  node.add_inputs(input);
  last_ = name;
  sizes_[name] = size;
  return node;
}

}  // namespace anybit::model
