#include "model/format/network_spec.h"

#include <cmath>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "model/testing/gated_network.h"

#include "model/arch/basic_block_network.h"

namespace anybit::model {
namespace {

// A small legal network: stem convolution, block with a shortcut, pool, head.
NetworkSpec Small() { return BasicBlockNetwork({.name = "small", .side = 8, .stages = {4, 8}, .classes = 3}); }

std::string Error(const std::function<void(NetworkSpec&)>& change) {
  NetworkSpec spec = Small();
  change(spec);
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (plan.ok()) return "";
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(plan.status().message());
}

// Node order of Small(): stem, stage1.block1.{conv1,conv2}, stage2.pool, stage2.block1.{shortcut,conv1,conv2}, pool,
// head.
constexpr int kStem = 0, kStage2Pool = 3, kShortcut = 4, kConv2 = 6, kGlobalPool = 7, kHead = 8;

TEST(PlanNetwork, ResolvesInputsAndInfersShapes) {
  const NetworkPlan plan = *PlanNetwork(Small());
  ASSERT_EQ(plan.nodes.size(), 9u);
  EXPECT_EQ(plan.nodes[kStem].out, (FeatureShape{4, 4, 4}));
  EXPECT_EQ(plan.nodes[kStage2Pool].out, (FeatureShape{2, 2, 4}));
  EXPECT_EQ(plan.nodes[kConv2].out, (FeatureShape{2, 2, 8}));
  EXPECT_TRUE(plan.nodes[kConv2].has_residual);
  EXPECT_EQ(plan.nodes[kConv2].residual, kShortcut);
  EXPECT_EQ(plan.nodes[kConv2].depth, 72);
  EXPECT_EQ(plan.nodes[kHead].depth, 8);
  EXPECT_EQ(plan.layers.size(), 7u);
  EXPECT_EQ(plan.nodes[kHead].layer, 6);
  EXPECT_EQ(plan.classes(), 3);
}

TEST(PlanNetwork, NamesWhatIsWrong) {
  EXPECT_EQ(Error([](auto& s) {}), "");
  EXPECT_EQ(Error([](auto& s) { s.clear_nodes(); }), "network of 0 nodes, expected 1..4096");
  EXPECT_EQ(Error([](auto& s) { s.mutable_input()->mutable_shape()->RemoveLast(); }),
            "the network's input has 2 dimensions, expected 3 (height, width, channels) or, of clips, 4 (frames before "
            "those)");
  EXPECT_EQ(Error([](auto& s) { s.mutable_input()->set_shape(0, 0); }), "input dimension 0 is outside 1..4096");
  EXPECT_EQ(Error([](auto& s) { s.mutable_input()->set_shape(0, INT64_MAX); }),
            "input dimension 9223372036854775807 is outside 1..4096");
  EXPECT_EQ(Error([](auto& s) {
              for (int d = 0; d < 3; ++d) s.mutable_input()->set_shape(d, 4096);
            }),
            "input of 68719476736 elements exceeds 16777216");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->mutable_conv()->set_kernel(8); }),
            "node 'stem': kernel 8 is outside 1..7");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->mutable_conv()->set_stride(0); }),
            "node 'stem': stride 0 is outside 1..4");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->mutable_conv()->set_padding(3); }),
            "node 'stem': padding 3 is outside 0..2");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->mutable_conv()->set_out_channels(-1); }),
            "node 'stem': -1 outputs, expected 1..65536");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->clear_op(); }), "node 'stem' has no operation");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->set_name("Stem"); }),
            "node name 'Stem' has a character outside [a-z0-9_.]");
  EXPECT_EQ(Error([](auto& s) { s.set_name("a/b"); }), "network name 'a/b' has a character outside [A-Za-z0-9_.-]");
  EXPECT_EQ(Error([](auto& s) { s.set_name("Fashion-MNIST.v2"); }), "");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->set_name("input"); }), "two nodes are named 'input'");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->set_inputs(0, "head"); }),
            "node 'stem' reads 'head', which no earlier node computes");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStem)->clear_inputs(); }), "node 'stem' has 0 inputs, expected 1..2");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kHead)->add_inputs("stem"); }),
            "node 'head' has 2 inputs, expected 1..1");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kConv2)->set_inputs(1, "stem"); }),
            "node 'stage2.block1.conv2': adds a tensor of 4x4x4 to one of 2x2x8");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStage2Pool)->mutable_max_pool()->set_size(3); }),
            "node 'stage2.pool': input of 4x4 is no multiple of pool size 3");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kStage2Pool)->mutable_global_pool(); }),
            "node 'stage2.block1.conv1' reads the sums of 'stage2.pool': accepted of still images by 1x1 of stride 1, "
            "without "
            "padding, addition and groups");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kConv2)->mutable_inputs()->RemoveLast(); }),
            "nothing reads node 'stage2.block1.shortcut'");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes()->RemoveLast(); }), "the last node, 'pool', is not linear");
  EXPECT_EQ(Error([](auto& s) { s.mutable_output()->set_shape(0, 4); }),
            "the network's output has shape [4], its last node gives [3]");
  EXPECT_EQ(Error([](auto& s) { s.add_labels("one"); }), "1 labels for 3 classes");
  EXPECT_EQ(Error([](auto& s) {
              for (const char* label : {"one", "caf\xe9", "three"}) s.add_labels(label);
            }),
            "label 'caf\\xe9' is not valid UTF-8");
}

// A node that reads `input` and stands before the head's pool, which reads it.
std::string ErrorWithNode(const std::string& input, const std::function<void(NetworkSpec&, proto::Node&)>& change) {
  return Error([&](NetworkSpec& s) {
    const proto::Node pool = s.nodes(kGlobalPool), head = s.nodes(kHead);
    proto::Node& node = *s.mutable_nodes(kGlobalPool);
    node.Clear();
    node.set_name("new");
    node.add_inputs(input);
    *s.mutable_nodes(kHead) = pool;
    s.mutable_nodes(kHead)->set_inputs(0, "new");
    *s.add_nodes() = head;
    change(s, *s.mutable_nodes(kGlobalPool));
  });
}

proto::Conv& AddConv(proto::Node& node, int channels, int kernel, int padding, int groups = 0) {
  node.mutable_conv()->set_out_channels(channels);
  node.mutable_conv()->set_kernel(kernel);
  node.mutable_conv()->set_stride(1);
  node.mutable_conv()->set_padding(padding);
  node.mutable_conv()->set_groups(groups);
  return *node.mutable_conv();
}

TEST(PlanNetwork, TakesConvolutionsThatAreDenseOrDepthwise) {
  const auto groups = [](int groups, int channels) {
    return ErrorWithNode("stage2.block1.conv2", [=](auto&, auto& node) { AddConv(node, channels, 3, 1, groups); });
  };
  EXPECT_EQ(groups(0, 12), "");
  EXPECT_EQ(groups(1, 12), "");
  EXPECT_EQ(groups(8, 8), "");
  EXPECT_EQ(groups(2, 8),
            "node 'new': 2 groups of 8 input and 8 output channels; either 1 or, depthwise, as many as both");
  EXPECT_EQ(groups(8, 16),
            "node 'new': 8 groups of 8 input and 16 output channels; either 1 or, depthwise, as many as both");
  EXPECT_EQ(groups(-1, 8),
            "node 'new': -1 groups of 8 input and 8 output channels; either 1 or, depthwise, as many as both");
}

TEST(PlanNetwork, ADepthwiseConvolutionHasOneWeightForEachTapAndChannel) {
  NetworkSpec spec = Small();
  spec.mutable_nodes(1)->mutable_conv()->set_groups(4);  // stage1.block1.conv1, 4 channels of 4x4
  const PlannedNode node = PlanNetwork(spec)->nodes[1];
  EXPECT_TRUE(node.depthwise);
  EXPECT_EQ(node.depth, 9);
  EXPECT_EQ(node.weights(), 36);
  EXPECT_EQ(node.macs(), 36 * 16);
}

TEST(PlanNetwork, PoolsWindowsThatOverlapOrReachBeyondTheMap) {
  const auto pooled = [](int size, int stride, int padding) {
    NetworkSpec spec = Small();
    proto::MaxPool& pool = *spec.mutable_nodes(kStage2Pool)->mutable_max_pool();  // of 4x4
    pool.set_size(size);
    pool.set_stride(stride);
    pool.set_padding(padding);
    const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
    if (!plan.ok()) return std::string(plan.status().message());
    const PlannedNode& node = plan->nodes[kStage2Pool];
    return std::to_string(node.out.height) + " by stride " + std::to_string(node.stride);
  };
  EXPECT_EQ(pooled(2, 0, 0), "2 by stride 2");
  EXPECT_EQ(pooled(2, 0, 1), "3 by stride 2");
  EXPECT_EQ(pooled(3, 2, 1), "2 by stride 2");
  EXPECT_EQ(pooled(3, 2, 0), "1 by stride 2");
  EXPECT_EQ(pooled(3, 1, 1), "4 by stride 1");
  EXPECT_EQ(pooled(3, 0, 0), "node 'stage2.pool': input of 4x4 is no multiple of pool size 3");
  EXPECT_EQ(pooled(3, 2, 2), "node 'stage2.pool': padding 2 is outside 0..1");
  EXPECT_EQ(pooled(3, 9, 1), "node 'stage2.pool': stride 9 is outside 0..8");
  EXPECT_EQ(pooled(8, 1, 1), "node 'stage2.pool': pool size 8 exceeds the padded input of 6x6");
}

TEST(PlanNetwork, LetsAllButPaddedPoolsReadOutputsWithoutRelu) {
  const auto reader = [](const std::function<void(proto::Node&)>& make) {
    return ErrorWithNode("stage2.block1.conv2", [&](NetworkSpec& s, proto::Node& node) {
      s.mutable_nodes(kConv2)->mutable_conv()->set_without_relu(true);
      make(node);
    });
  };
  EXPECT_EQ(reader([](auto& node) { AddConv(node, 5, 1, 0); }), "");
  EXPECT_EQ(reader([](auto& node) { AddConv(node, 5, 3, 1); }), "");
  EXPECT_EQ(reader([](auto& node) { node.mutable_max_pool()->set_size(2); }), "");
  EXPECT_EQ(reader([](auto& node) { node.mutable_global_pool(); }),
            "node 'pool' reads the sums of 'new'; only a linear node or a convolution may")
      << "only what follows is refused";
  EXPECT_EQ(reader([](auto& node) {
              node.mutable_max_pool()->set_size(2);
              node.mutable_max_pool()->set_stride(1);
              node.mutable_max_pool()->set_padding(1);
            }),
            "node 'new': padding of 'stage2.block1.conv2', whose code for 0 is not 0");
  EXPECT_EQ(Error([](auto& s) { s.mutable_nodes(kShortcut)->mutable_conv()->set_without_relu(true); }), "")
      << "an addition";
}

TEST(PlanNetwork, KnowsTheFunctionsAndParametersOfActivations) {
  const auto activated = [](int function, float alpha) {
    return Error([&](auto& s) {
      auto& activation = *s.mutable_nodes(kStem)->mutable_conv()->mutable_activation();
      activation.set_function(static_cast<proto::Activation::Function>(function));
      activation.set_alpha(alpha);
    });
  };
  for (int function = proto::Activation::CLIP; function <= proto::Activation::MISH; ++function) {
    EXPECT_EQ(activated(function, 1), "") << function;
  }
  EXPECT_EQ(activated(0, 1), "node 'stem': activation 0 is not known");
  EXPECT_EQ(activated(99, 1), "node 'stem': activation 99 is not known");
  EXPECT_EQ(activated(proto::Activation::CLIP, -1), "node 'stem': activation CLIP of -1 and 0");
}

TEST(PlanNetwork, TakesGatesOfOnePlaceForEachChannel) {
  EXPECT_TRUE(PlanNetwork(GatedNetwork()).ok()) << PlanNetwork(GatedNetwork()).status();
  const auto gated = [](const std::function<void(NetworkSpec&)>& change) {
    NetworkSpec spec = GatedNetwork();
    change(spec);
    return std::string(PlanNetwork(spec).status().message());
  };
  const auto node = [](NetworkSpec& spec, const char* name) {
    for (proto::Node& found : *spec.mutable_nodes()) {
      if (found.name() == name) return &found;
    }
    return static_cast<proto::Node*>(nullptr);
  };
  EXPECT_EQ(gated([&](auto& s) { node(s, "gated")->mutable_inputs()->RemoveLast(); }),
            "node 'gated' has 1 inputs, expected 2..2");
  EXPECT_EQ(gated([&](auto& s) { node(s, "gated")->set_inputs(1, "squeeze"); }),
            "node 'gated': factors of 1x1x7, expected 1x1x16");
  EXPECT_EQ(gated([&](auto& s) { node(s, "gated")->set_inputs(1, "stem"); }),
            "node 'gated': factors of 6x5x16, expected 1x1x16");
  EXPECT_EQ(gated([&](auto& s) { node(s, "gated")->set_inputs(0, "input"); }),
            "node 'gated': a gate of 'input' and 'excite'; accepted: of computed codes and of a convolution");
  EXPECT_EQ(gated([&](auto& s) { node(s, "gated")->set_inputs(1, "mean"); }),
            "node 'gated' reads the sums of 'mean'; only a linear node or a convolution may");
  EXPECT_EQ(gated([&](auto& s) { node(s, "squeeze")->mutable_conv()->set_kernel(3); }),
            "node 'squeeze' reads the sums of 'mean': accepted of still images by 1x1 of stride 1, without padding, "
            "addition and groups");
}

TEST(PlanNetwork, PadsItsInputWithCodesOfItsChannels) {
  const auto padded = [](const std::vector<float>& codes) {
    return Error([&](auto& s) { s.mutable_padding_code()->Assign(codes.begin(), codes.end()); });
  };
  EXPECT_EQ(padded({128}), "");
  EXPECT_EQ(padded({1, 2}), "2 padding codes for 1 channels");
  EXPECT_EQ(padded({-1}), "padding code -1 is outside 0..255");
  EXPECT_EQ(padded({256}), "padding code 256 is outside 0..255");
  EXPECT_EQ(padded({NAN}), "padding code nan is outside 0..255");
}

TEST(PlanNetwork, ChecksItsFloatInput) {
  const auto floats = [](double deviation) {
    return Error([&](auto& s) {
      s.mutable_float_input()->set_scale(1);
      s.mutable_float_input()->add_mean(0);
      s.mutable_float_input()->add_std(deviation);
    });
  };
  EXPECT_EQ(floats(1), "");
  EXPECT_NE(floats(0), "");
}

TEST(PlanNetwork, RunsClipsFrameByFrameUpToTheGlobalPool) {
  NetworkSpec spec = Small();
  const NetworkPlan image = *PlanNetwork(spec);
  spec.mutable_input()->clear_shape();
  for (int extent : {5, 8, 8, 1}) spec.mutable_input()->add_shape(extent);
  const NetworkPlan clip = *PlanNetwork(spec);
  EXPECT_EQ(clip.frames, 5);
  EXPECT_EQ(clip.input, image.input);
  EXPECT_EQ(clip.input_elements(), 5 * 64);
  EXPECT_EQ(clip.nodes[kStem].macs(), 5 * image.nodes[kStem].macs());
  EXPECT_EQ(clip.nodes[kGlobalPool].pooled(), 5 * 4);
  EXPECT_EQ(clip.nodes[kHead].macs(), image.nodes[kHead].macs());

  spec.mutable_input()->set_shape(0, 257);
  EXPECT_EQ(PlanNetwork(spec).status().message(), "clips of 257 frames exceed 256");
  spec.mutable_input()->set_shape(0, 2);
  spec.mutable_nodes(kHead)->set_inputs(0, "stage2.block1.conv2");
  EXPECT_EQ(PlanNetwork(spec).status().message(), "node 'head' reads 2 frames; of clips it must read a global pool");
}

// `count` convolutions of `channels` channels, one after the other, on `side` x `side` pixels.
std::string ChainError(int count, int channels, int side, int kernel = 1) {
  return Error([&](NetworkSpec& s) {
    s.mutable_input()->set_shape(0, side);
    s.mutable_input()->set_shape(1, side);
    const proto::Node head = s.nodes(kHead);
    s.clear_nodes();
    for (int i = 0; i < count; ++i) {
      proto::Node& node = *s.add_nodes();
      node.set_name("n" + std::to_string(i));
      node.add_inputs(i == 0 ? "input" : "n" + std::to_string(i - 1));
      node.mutable_conv()->set_out_channels(channels);
      node.mutable_conv()->set_kernel(kernel);
      node.mutable_conv()->set_stride(1);
      node.mutable_conv()->set_padding(kernel / 2);
    }
    proto::Node& pool = *s.add_nodes();
    pool.set_name("pool");
    pool.add_inputs("n" + std::to_string(count - 1));
    pool.mutable_global_pool();
    *s.add_nodes() = head;
  });
}

TEST(PlanNetwork, RefusesNetworksTooLargeToServe) {
  EXPECT_EQ(ChainError(3, 2, 64), "");
  EXPECT_EQ(ChainError(300, 1, 512), "node 'n256': one frame's tensors reach 67371008 elements, the limit is 67108864");
  EXPECT_EQ(ChainError(9, 16384, 1), "node 'n4': the network reaches 1073758208 weights, the limit is 1073741824");
  EXPECT_EQ(ChainError(9, 1024, 32, 7),
            "node 'n6': one row reaches 315731476480 multiplications, the limit is 274877906944");
}

TEST(PlanNetwork, LimitsAllFramesOfAClipTogether) {
  EXPECT_EQ(Error([](NetworkSpec& s) {
              s.mutable_input()->clear_shape();
              for (int extent : {256, 1024, 1024, 1}) s.mutable_input()->add_shape(extent);
            }),
            "node 'stem': one row's tensors reach 268435456 elements in 256 frames, the limit is 134217728");
}

TEST(PlanNetwork, RefusesSumsThatLeaveThirtyTwoBits) {
  const std::string error = Error([](NetworkSpec& s) {
    s.mutable_input()->set_shape(2, 4096);
    s.mutable_nodes(kStem)->mutable_conv()->set_kernel(7);
    s.mutable_nodes(kStem)->mutable_conv()->set_padding(3);
  });
  EXPECT_EQ(error, "node 'stem': sums of 200704 products of 128 and 255 do not fit 32 bits");
}

}  // namespace
}  // namespace anybit::model
