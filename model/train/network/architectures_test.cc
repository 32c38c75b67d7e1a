// Networks with every kind of node: training, the exported artifact and the engine compute the same.
#include "model/train/network/trainable_network.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/engine/torch_network.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/recipe/recipe.h"

namespace anybit::model::train {
namespace {

class OneThread : public testing::Environment {
  void SetUp() override { torch::set_num_threads(1); }
};
const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

constexpr int kRows = 8;

void CheckExport(const char* architecture, const char* points, const std::string& recipe) {
  torch::manual_seed(1);
  const NetworkSpec spec = *ArchitectureByName(architecture);
  const NetworkPlan plan = *PlanNetwork(spec);
  TrainableNetwork network(spec, *ParsePoints(points), *ParseRecipe(recipe), 5);
  std::mt19937_64 random(3);
  std::vector<uint8_t> pixels(kRows * plan.input_elements());
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  std::vector<int64_t> shape = {kRows};
  for (int64_t extent : spec.input().shape()) shape.push_back(extent);
  const torch::Tensor images = torch::from_blob(pixels.data(), shape, torch::kUInt8);

  torch::NoGradGuard no_gradient;
  // Values unlike the initial ones, so that a missing factor shows.
  for (torch::Tensor& t : network->norms()) t.mul_(0.9).add_(torch::rand_like(t) * 0.1);
  std::vector<torch::Tensor> forward;
  const int count = static_cast<int>(network->points().size());
  for (int p = 0; p < count; ++p) {
    if (p > 0) network->CalibrateSteps(p, images);
    forward.push_back(network->Forward(p, images, /*momentum=*/1.0));
  }

  // The running variance is the unbiased estimate, n / (n - 1) times the variance of the batch.
  for (auto& buffer : network->named_buffers()) {
    for (int index : plan.layers) {
      const PlannedNode& node = plan.nodes[index];
      const std::string name = absl::StrReplaceAll(node.name, {{".", "_"}});
      const double n = static_cast<double>(kRows * node.frames * node.out.height * node.out.width);
      if (absl::EndsWith(buffer.key(), absl::StrCat("_", name, "_variance"))) buffer.value().mul_((n - 1) / n);
    }
  }

  const Artifact artifact = network->Export();
  ASSERT_TRUE(ValidateArtifact(artifact).ok()) << ValidateArtifact(artifact);
  const auto simulation = *TorchNetwork::Create(artifact);
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  for (int p = 0; p < count; ++p) {
    SCOPED_TRACE(network->points()[p].name);
    std::vector<float> logits(kRows * plan.classes());
    ASSERT_TRUE(simulation->Run(ToPointId(p), pixels, logits, *simulation->MakeScratch(kRows)).ok());
    // A value near a rounding boundary may be rounded up or down, and later values depend on it.
    const torch::Tensor folded = torch::from_blob(logits.data(), {kRows, plan.classes()});
    const double spread = (forward[p] - forward[p].mean()).abs().mean().item<double>();
    const double error = (folded - forward[p]).abs().mean().item<double>();
    EXPECT_LT(error, (p == 0 ? 1e-4 : 0.02) * spread);
    if (p == 0) continue;
    std::vector<float> served(logits.size());
    ASSERT_TRUE(engine->Run(ToPointId(p), pixels, served, *engine->MakeScratch(kRows)).ok());
    EXPECT_EQ(served, logits);
    const LayerTrace codes = *engine->Trace(ToPointId(p), pixels), simulated = *simulation->Trace(ToPointId(p), pixels);
    for (size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(codes[i].codes, simulated[i].codes) << codes[i].node;
  }
}

class EveryArchitecture : public testing::TestWithParam<const char*> {};

TEST_P(EveryArchitecture, ExportsItsComputationToTheEngine) {
  CheckExport(GetParam(), "fp32,w8a8,w4a4f,w2a2,w1a1", "coquant");
}

INSTANTIATE_TEST_SUITE_P(Small, EveryArchitecture,
                         testing::Values("clip:width=0.25,side=16,frames=3", "resnet20:width=0.5,side=16",
                                         "resnet18_imagenet:width=0.125,side=40,classes=10",
                                         "resnet50:width=0.0625,side=14", "vgg16:width=0.125,side=28",
                                         "mobilenetv2:width=0.125,side=16"),
                         [](const auto& info) { return std::string(info.param, std::string(info.param).find(':')); });

// Outputs without ReLU have codes on both sides of 0 under every activation rule. At few bits, values near a rounding
// boundary are rare; in a deep untrained network each of them changes all later values.
TEST(OutputsWithoutReLU, AreServedAsInTrainingUnderEveryActivationRule) {
  for (const char* activations : {"pact", "unit"}) {
    SCOPED_TRACE(activations);
    CheckExport("mobilenetv2:width=0.125,side=16", "fp32,w2a2,w1a1", absl::StrCat("coquant,activations=", activations));
  }
}

TEST(TrainableNetwork, GivesEveryWeightAGradient) {
  for (const char* name : {"clip:width=0.125,side=8,frames=2", "mobilenetv2:width=0.125,side=8"}) {
    const NetworkSpec spec = *ArchitectureByName(name);
    TrainableNetwork network(spec, *ParsePoints("fp32,w8a8"), *ParseRecipe("coquant"), 5);
    std::vector<int64_t> shape = {4};
    for (int64_t extent : spec.input().shape()) shape.push_back(extent);
    const torch::Tensor images = torch::randint(0, 256, shape).to(torch::kUInt8);
    network->CalibrateSteps(1, images);
    network->Forward(1, images).square().sum().backward();
    network->PullBackGradients();
    for (const torch::Tensor& weight : network->weights()) {
      ASSERT_TRUE(weight.grad().defined()) << name;
      EXPECT_GT(weight.grad().abs().sum().item<float>(), 0) << name;
    }
  }
}

}  // namespace
}  // namespace anybit::model::train
