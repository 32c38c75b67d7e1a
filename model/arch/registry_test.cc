#include "model/arch/registry.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/arch/basic_block_network.h"
#include "model/format/artifact.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

NetworkPlan PlanOf(absl::string_view text) {
  const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *PlanNetwork(*spec) : NetworkPlan{};
}

int64_t WeightsOf(const NetworkPlan& plan) {
  int64_t weights = 0;
  for (int index : plan.layers) weights += plan.nodes[index].weights();
  return weights;
}

std::string Error(absl::string_view text) { return std::string(ArchitectureByName(text).status().message()); }

TEST(Architectures, AllPlan) {
  for (const std::string& name : ArchitectureNames()) {
    const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(name);
    ASSERT_TRUE(spec.ok()) << name << ": " << spec.status();
    EXPECT_TRUE(PlanNetwork(*spec).ok()) << name << ": " << PlanNetwork(*spec).status();
  }
}

TEST(Architectures, AllMakeValidArtifacts) {
  for (const std::string& name : ArchitectureNames()) {
    const std::string narrow = absl::StrCat(name, ":width=0.1");
    const absl::Status status = ValidateArtifact(RandomArtifact(*ArchitectureByName(narrow), 1));
    EXPECT_TRUE(status.ok()) << narrow << ": " << status;
  }
}

TEST(Architectures, AllTakeDataOfAnySizeAndNumberOfClasses) {
  for (const std::string& name : ArchitectureNames()) {
    for (int side : {28, 32, 96}) {
      const NetworkPlan plan =
          PlanOf(absl::StrCat(name, ":side=", side, ",channels=1,classes=100,frames=3,width=0.25"));
      EXPECT_EQ(plan.input, (FeatureShape{side, side, 1})) << name;
      EXPECT_EQ(plan.frames, 3) << name;
      EXPECT_EQ(plan.classes(), 100) << name;
    }
  }
}

TEST(Architectures, KeepLabelsOnlyForTheDataTheyAreOf) {
  EXPECT_EQ(ArchitectureByName("fashion")->labels_size(), 10);
  EXPECT_EQ(ArchitectureByName("fashion:width=0.5")->labels_size(), 10);
  EXPECT_EQ(ArchitectureByName("fashion:classes=10")->labels_size(), 0);
}

TEST(Architectures, FashionIsTheNetworkOfTheDefaultArtifact) {
  EXPECT_EQ(ArchitectureByName("fashion")->SerializeAsString(), FashionNetwork(1).SerializeAsString());
  EXPECT_EQ(ArchitectureByName("fashion_tiny")->SerializeAsString(), FashionNetwork(8).SerializeAsString());
}

TEST(Architectures, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_EQ(Error("alexnet"),
            "no architecture 'alexnet'; known: clip, fashion, fashion_tiny, mobilenetv2, mobilenetv2_imagenet, "
            "resnet101_imagenet, resnet110, resnet152_imagenet, resnet18, resnet18_imagenet, resnet20, resnet20_wide, "
            "resnet32, resnet34, resnet34_imagenet, resnet44, resnet50, resnet50_imagenet, resnet56, vgg16");
}

TEST(Architectures, OptionsThatDoNotFitAreNamed) {
  EXPECT_EQ(Error("vgg16:depth=16"),
            "architecture 'vgg16:depth=16': no option 'depth'; known: classes, side, channels, frames, width");
  EXPECT_EQ(Error("vgg16:classes=1"),
            "architecture 'vgg16:classes=1': option classes is '1', expected a whole number of 2..65536");
  EXPECT_EQ(Error("vgg16:side=big"),
            "architecture 'vgg16:side=big': option side is 'big', expected a whole number of 1..4096");
  EXPECT_EQ(Error("vgg16:width=0"), "architecture 'vgg16:width=0': option width is '0', expected a number of 1/64..16");
  EXPECT_EQ(Error("vgg16:side=8,side=9"), "architecture 'vgg16:side=8,side=9': option side is given twice");
  EXPECT_EQ(Error("vgg16:frames"),
            "architecture 'vgg16:frames': option frames is '', expected a whole number of 1..256");
  EXPECT_EQ(Error("vgg16:side=4096"), "architecture 'vgg16:side=4096': input of 50331648 elements exceeds 16777216");
}

TEST(FashionNetwork, SpendsNearlyAllItsFortyEightMillionProductsInStrideOneConvolutions) {
  const NetworkPlan plan = *PlanNetwork(FashionNetwork());
  int64_t fast = 0;
  for (int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    if (node.kernel == 3 && node.stride == 1) fast += node.macs();
  }
  EXPECT_NEAR(static_cast<double>(plan.macs), 48.4e6, 0.1e6);
  EXPECT_GT(static_cast<double>(fast) / static_cast<double>(plan.macs), 0.97);
}

// Products of He et al.'s layers by hand: stem, 3x3 convolutions, 1x1 shortcuts, head.
TEST(ResNet18, HasThePublishedLayersForCifar) {
  const NetworkPlan plan = *PlanNetwork(ResNet18());
  const int64_t same = int64_t{32} * 32 * 64 * 64 * 9;  // a convolution within a stage: of every stage alike
  EXPECT_EQ(plan.layers.size(), 1u + 16u + 3u + 1u);
  EXPECT_EQ(plan.macs, 32 * 32 * 27 * 64 + 4 * same + 3 * (3 * same + same / 2 + same / 18) + 512 * 10);
  EXPECT_NEAR(static_cast<double>(plan.macs), 0.556e9, 0.001e9);
}

TEST(ResNet20, HasThePublishedLayersAndShortcutConvolutions) {
  const NetworkPlan plan = *PlanNetwork(ResNet20());
  const int64_t same = int64_t{32} * 32 * 16 * 16 * 9;
  EXPECT_EQ(plan.layers.size(), 1u + 18u + 2u + 1u);
  EXPECT_EQ(plan.macs, 32 * 32 * 27 * 16 + 6 * same + 2 * (5 * same + same / 2 + same / 18) + 64 * 10);
  EXPECT_NEAR(static_cast<double>(plan.macs), 40.8e6, 0.3e6);
}

// Counts from the papers and their published code, without batch norm and biases.
TEST(Architectures, HaveThePublishedSizes) {
  struct Published {
    const char* name;
    int64_t weights;
    double macs;
  };
  for (const Published& p :
       {Published{"resnet20_wide", 25 * 269824 + 5 * (27 * 16 + 640), 1.0115e9},
        Published{"resnet18_imagenet", 11678912, 1.814e9}, Published{"resnet50_imagenet", 25502912, 4.089e9},
        Published{"resnet34_imagenet", 21797672 - 2 * 8512 - 1000, 3.664e9},
        Published{"resnet101_imagenet", 44549160 - 105344 - 1000, 7.801e9},
        Published{"resnet152_imagenet", 60192808 - 151424 - 1000, 11.514e9},
        Published{"resnet56", 27 * 16 + 18 * 2304 + 4608 + 17 * 9216 + 18432 + 17 * 36864 + 512 + 2048 + 640, 125.75e6},
        Published{"resnet50", 23467712, 1.298e9}, Published{"vgg16", 14710464 + 5120, 313.2e6},
        Published{"mobilenetv2_imagenet", 3469760, 300.8e6}, Published{"mobilenetv2", 2202560, 88e6}}) {
    const NetworkPlan plan = PlanOf(p.name);
    EXPECT_EQ(WeightsOf(plan), p.weights) << p.name;
    EXPECT_NEAR(static_cast<double>(plan.macs), p.macs, 0.002 * p.macs) << p.name;
  }
}

TEST(ClipNetwork, CountsTheProductsOfEveryFrame) {
  const NetworkPlan clip = PlanOf("clip"), image = PlanOf("fashion:width=0.5");
  EXPECT_EQ(clip.frames, 8);
  const int64_t head = image.layer(static_cast<int>(image.layers.size()) - 1).macs();
  EXPECT_EQ(clip.macs, 8 * (image.macs - head) + head);
  EXPECT_EQ(WeightsOf(clip), WeightsOf(image));
}

TEST(MobileNetV2, RoundsChannelsAsItsAuthorsDo) {
  std::vector<int64_t> channels;
  for (const PlannedNode& node : PlanOf("mobilenetv2_imagenet:width=0.35").nodes) {
    if (node.name == "stem" || node.name.ends_with(".project")) channels.push_back(node.out.channels);
  }
  channels.erase(std::unique(channels.begin(), channels.end()), channels.end());
  EXPECT_EQ(channels, (std::vector<int64_t>{16, 8, 16, 24, 32, 56, 112}));
}

TEST(MobileNetV2, HasAReluBehindAllConvolutionsButProjections) {
  for (const PlannedNode& node : PlanOf("mobilenetv2").nodes) {
    EXPECT_EQ(node.relu, !node.name.ends_with(".project")) << node.name;
    EXPECT_EQ(node.depthwise, node.name.ends_with(".depthwise")) << node.name;
  }
}

TEST(ResNets, HaveAReluBehindAllConvolutionsButShortcuts) {
  for (const char* name : {"resnet18", "resnet20", "resnet50", "resnet18_imagenet", "resnet50_imagenet"}) {
    for (const PlannedNode& node : PlanOf(name).nodes) {
      EXPECT_EQ(node.relu, !node.name.ends_with(".shortcut")) << node.name;
    }
  }
}

TEST(BasicBlockNetwork, StridesOnlyInTheFirstBlockOfAStageAndNeedsNoPoolThen) {
  const NetworkPlan plan = *PlanNetwork(BasicBlockNetwork({.name = "strided",
                                                           .stem_stride = 1,
                                                           .stages = {8, 8},  // alike: only the stride needs a shortcut
                                                           .blocks_per_stage = 2,
                                                           .downsampling = Downsampling::kStride}));
  std::vector<std::string> strided;
  for (const PlannedNode& node : plan.nodes) {
    EXPECT_NE(node.kind, NodeKind::kMaxPool) << node.name;
    if (node.stride == 2) strided.push_back(node.name);
  }
  EXPECT_EQ(strided, (std::vector<std::string>{"stage2.block1.shortcut", "stage2.block1.conv1"}));
}

TEST(BasicBlockNetwork, HasAShortcutConvolutionOnlyWhereChannelsChange) {
  const NetworkPlan plan = *PlanNetwork(BasicBlockNetwork({.name = "deep", .stages = {8, 16}, .blocks_per_stage = 2}));
  std::vector<std::string> shortcuts;
  int residuals = 0;
  for (const PlannedNode& node : plan.nodes) {
    if (node.name.ends_with(".shortcut")) shortcuts.push_back(node.name);
    if (node.has_residual) ++residuals;
  }
  EXPECT_EQ(shortcuts, std::vector<std::string>{"stage2.block1.shortcut"});
  EXPECT_EQ(residuals, 4);
}

}  // namespace
}  // namespace anybit::model
