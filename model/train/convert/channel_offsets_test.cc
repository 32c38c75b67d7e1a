#include "model/train/convert/channel_offsets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace anybit::model::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "a" and, with an addition of it, "b": 1x1 convolutions of two channels without activation; a pool; a linear layer.
NetworkSpec Spec() {
  NetworkSpec spec;
  spec.set_name("net");
  spec.mutable_input()->set_name("image");
  for (const int extent : {4, 4, 2}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(3);
  const auto add = [&](const char* name, std::vector<const char*> inputs) -> proto::Node& {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    for (const char* input : inputs) node.add_inputs(input);
    return node;
  };
  for (proto::Node* node : {&add("a", {"input"}), &add("b", {"a", "a"})}) {
    proto::Conv& conv = *node->mutable_conv();
    conv.set_out_channels(2);
    conv.set_kernel(1);
    conv.set_stride(1);
    conv.set_without_relu(true);
  }
  add("pool", {"b"}).mutable_global_pool();
  add("logits", {"pool"}).mutable_linear()->set_out_features(3);
  return spec;
}

std::vector<std::vector<float>> OffsetsOf(const std::function<void(NetworkSpec&)>& change = [](NetworkSpec&) {}) {
  NetworkSpec spec = Spec();
  change(spec);
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return ChannelOffsets(*plan, {{.low = {2, -1}, .high = {3, 5}}, {.low = {0, -8}, .high = {1, 0}}, {}});
}

TEST(ChannelOffsets, AreTheMiddlesOfChannelsWithoutActivation) {
  const auto offsets = OffsetsOf();
  EXPECT_THAT(offsets[0], ElementsAre(2.5f, 2.0f));
  EXPECT_THAT(offsets[1], ElementsAre(0.5f, -4.0f));
  EXPECT_EQ(offsets[2], offsets[1]) << "a pool keeps what its codes are counted from";
  EXPECT_THAT(offsets[3], IsEmpty());
}

TEST(ChannelOffsets, AreZeroBehindAnActivation) {
  const auto relu =
      OffsetsOf([](NetworkSpec& spec) { spec.mutable_nodes(0)->mutable_conv()->set_without_relu(false); });
  EXPECT_THAT(relu[0], IsEmpty());
  EXPECT_FALSE(relu[1].empty());
  const auto swish = OffsetsOf([](NetworkSpec& spec) {
    spec.mutable_nodes(1)->mutable_conv()->mutable_activation()->set_function(proto::Activation::HARD_SWISH);
  });
  EXPECT_FALSE(swish[0].empty());
  EXPECT_THAT(swish[1], IsEmpty());
}

TEST(ChannelOffsets, AreZeroWhereAReaderPads) {
  const auto offsets = OffsetsOf([](NetworkSpec& spec) {
    spec.mutable_nodes(1)->mutable_conv()->set_kernel(3);
    spec.mutable_nodes(1)->mutable_conv()->set_padding(1);
  });
  EXPECT_THAT(offsets[0], IsEmpty());
  EXPECT_FALSE(offsets[1].empty());
}

TEST(ChannelOffsets, AreZeroWhereAGateReads) {
  const auto offsets = OffsetsOf([](NetworkSpec& spec) {
    proto::Conv* const conv = spec.mutable_nodes(1)->mutable_conv();
    spec.mutable_nodes(1)->mutable_inputs()->RemoveLast();
    conv->set_kernel(4);  // the factors: one place
    proto::Node gate;
    gate.set_name("gate");
    gate.add_inputs("a");
    gate.add_inputs("b");
    gate.mutable_gate();
    spec.mutable_nodes(2)->set_inputs(0, "gate");
    *spec.add_nodes() = gate;
    spec.mutable_nodes()->SwapElements(2, 4);
    spec.mutable_nodes()->SwapElements(3, 4);
  });
  EXPECT_THAT(offsets[0], IsEmpty());
  EXPECT_THAT(offsets[1], IsEmpty());
}

}  // namespace
}  // namespace anybit::model::train
