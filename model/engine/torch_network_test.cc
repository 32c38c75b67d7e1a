// Train = serve: LibTorch's simulation and the engine must agree, integer by integer, node by node.
#include "model/engine/torch_network.h"

#include <ATen/Parallel.h>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"
#include "model/data/open_examples.h"
#include "model/data/read_rows.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

// Layers this small lose by being split over threads.
class OneThread : public testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

class TrainEqualsServeAt : public testing::TestWithParam<int> {
 protected:
  static PointId point() { return ToPointId(GetParam()); }
};

// Both on three rows of `artifact`.
void ExpectEqual(const Artifact& artifact, PointId point) {
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const auto simulation = *TorchNetwork::Create(artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 22);
  const LayerTrace served = *engine->Trace(point, images);
  const LayerTrace trained = *simulation->Trace(point, images);
  ASSERT_EQ(served.size(), trained.size());
  for (size_t i = 0; i < served.size(); ++i) {
    EXPECT_EQ(served[i].node, trained[i].node);
    EXPECT_EQ(served[i].codes, trained[i].codes) << "node " << served[i].node;
  }
  std::vector<float> served_logits(30), trained_logits(30);
  ASSERT_TRUE(engine->Run(point, images, served_logits, *engine->MakeScratch(3)).ok());
  ASSERT_TRUE(simulation->Run(point, images, trained_logits, *simulation->MakeScratch(3)).ok());
  EXPECT_EQ(served_logits, trained_logits);
}

TEST_P(TrainEqualsServeAt, EveryNodeOfRandomWeights) { ExpectEqual(RandomArtifact(FashionNetwork(4), 21), point()); }

// Pools that are padded or leave out a row, depthwise convolutions, outputs without ReLU, clips.
TEST_P(TrainEqualsServeAt, EveryNodeOfEveryKind) {
  for (const char* narrow : {"clip:width=0.25,side=16,frames=3", "mobilenetv2:width=0.25,side=16",
                             "resnet50_imagenet:width=0.0625,side=44,classes=10", "vgg16:width=0.0625,side=28"}) {
    SCOPED_TRACE(narrow);
    ExpectEqual(RandomArtifact(*ArchitectureByName(narrow), 26), point());
  }
}

TEST_P(TrainEqualsServeAt, EveryNodeWithTablesGatesAndCodesForZero) {
  const Artifact artifact = RandomArtifact(GatedNetwork(), 27);
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const auto simulation = *TorchNetwork::Create(artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 22);
  const LayerTrace served = *engine->Trace(point(), images), trained = *simulation->Trace(point(), images);
  ASSERT_EQ(served.size(), trained.size());
  for (size_t i = 0; i < served.size(); ++i) EXPECT_EQ(served[i].codes, trained[i].codes) << served[i].node;
}

INSTANTIATE_TEST_SUITE_P(QuantizedPoints, TrainEqualsServeAt, testing::Range(1, 6));

TEST(TrainEqualsServe, AtEveryNodeOfTheDefaultNetworkOnRealImages) {
  const absl::StatusOr<Artifact> artifact = ReadArtifact("model/default/fashion.safetensors");
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  const auto examples = *OpenExamples("/usr/share/datasets/fashion-mnist", Split::kTest, {.height = 32, .width = 32});
  std::vector<uint8_t> images(4 * examples->shape().elements());
  ASSERT_TRUE(ReadRows(*examples, 0, 4, images).ok());
  const auto engine = *PackedNetwork::Create(*artifact, *SupportedKernels().front());
  const auto simulation = *TorchNetwork::Create(*artifact);
  for (size_t p = 0; p < artifact->points.size(); ++p) {
    if (artifact->points[p].full_precision) continue;
    const LayerTrace served = *engine->Trace(ToPointId(static_cast<int>(p)), images);
    const LayerTrace trained = *simulation->Trace(ToPointId(static_cast<int>(p)), images);
    for (size_t i = 0; i < served.size(); ++i) {
      EXPECT_EQ(served[i].codes, trained[i].codes) << artifact->points[p].info.name << " " << served[i].node;
    }
  }
}

TEST(TorchNetwork, IsNearTheEngineAtFullPrecision) {
  for (const char* narrow : {"fashion:width=0.25", "clip:width=0.25,side=16,frames=3", "mobilenetv2:width=0.25,side=16",
                             "resnet18_imagenet:width=0.125,side=44,classes=10", "gated"}) {
    const bool gated = std::string(narrow) == "gated";
    Artifact artifact = RandomArtifact(gated ? GatedNetwork() : *ArchitectureByName(narrow), 23);
    const auto outputs = static_cast<size_t>(2 * Describe(artifact).output.elements);
    AddBfloat16Point(artifact);
    const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
    const auto simulation = *TorchNetwork::Create(artifact);
    const std::vector<uint8_t> images = RandomImages(artifact, 2, 24);
    // A sum near the middle of two bfloat16 numbers may be rounded either way: 2^-8 of one of many values.
    const double tolerances[] = {1e-4, 2e-2};
    for (int point = 0; point < 2; ++point) {
      std::vector<float> served(outputs), trained(outputs);
      ASSERT_TRUE(engine->Run(ToPointId(point), images, served, *engine->MakeScratch(2)).ok());
      ASSERT_TRUE(simulation->Run(ToPointId(point), images, trained, *simulation->MakeScratch(2)).ok());
      float largest = 1;
      for (float logit : trained) largest = std::max(largest, std::abs(logit));
      for (size_t i = 0; i < served.size(); ++i) {
        EXPECT_NEAR(served[i], trained[i], tolerances[point] * largest) << narrow << ", point " << point;
      }
    }
  }
}

TEST(TorchNetwork, RefusesSizesThatDoNotFit) {
  const auto simulation = *TorchNetwork::Create(RandomArtifact(FashionNetwork(8), 25));
  std::vector<float> logits(10);
  const std::vector<uint8_t> image(1000);
  EXPECT_EQ(simulation->Run(ToPointId(0), image, logits, *simulation->MakeScratch(1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(simulation->Trace(ToPointId(9), image).status().message(), "operating point 9 of 6");
}

}  // namespace
}  // namespace anybit::model
