// The trainer on a small network and real images of its own making: it learns, resumes exactly, and serves what it trained.
#include "model/train/trainer.h"

#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/evaluate.h"
#include "model/kernels/instruction_set.h"
#include "model/packed_network.h"
#include "model/quant/code_range.h"
#include "model/torch_network.h"
#include "model/train/fake_quant.h"
#include "model/train/trainable_network.h"

namespace anybit {
namespace {

// Layers this small lose by being split over threads.
class OneThread : public testing::Environment {
  void SetUp() override { torch::set_num_threads(1); }
};
const auto* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

// Four classes that survive shifts and mirroring: horizontal or vertical stripes, fine or coarse, in noise.
MemoryExamples Stripes(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint16_t> labels;
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(random() % 4);
    labels.push_back(static_cast<uint16_t>(label));
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 16; ++x) {
        const int along = label % 2 == 0 ? x : y;
        const bool bright = along / (label < 2 ? 2 : 4) % 2 == 0;
        pixels.push_back(static_cast<uint8_t>((bright ? 150 : 50) + random() % 60));
      }
    }
  }
  return MemoryExamples({.height = 16, .width = 16}, std::move(labels), std::move(pixels));
}

NetworkSpec SmallNetwork() {
  return BasicBlockNetwork({.name = "small", .side = 16, .stages = {8, 16}, .classes = 4});
}

TrainerOptions SmallOptions() {
  return {.start_steps = 20, .joint_steps = 40, .batch = 32, .learning_rate = 5e-3, .held_out = 100, .norm_batches = 5};
}

absl::StatusOr<Artifact> TrainSmall(const TrainerOptions& options) {
  std::ostringstream progress;
  return Train(SmallNetwork(), *ParsePoints(kDefaultPoints), Stripes(500, 1), options, progress, /*live=*/false);
}

TEST(Train, TeachesEveryOperatingPoint) {
  const absl::StatusOr<Artifact> artifact = TrainSmall(SmallOptions());
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  ASSERT_TRUE(ValidateArtifact(*artifact).ok());
  const auto engine = *PackedNetwork::Create(*artifact, *SupportedKernels().front());
  const MemoryExamples test = Stripes(200, 2);
  for (size_t p = 0; p < artifact->points.size(); ++p) {
    EXPECT_GT(*EvaluateTop1(*engine, static_cast<int>(p), test), 0.8) << artifact->points[p].info.name;
    EXPECT_EQ(artifact->points[p].accuracy_images, 100);
  }
}

TEST(Train, WritesWhatTheEngineServesToTheLastInteger) {
  const Artifact artifact = *TrainSmall(SmallOptions());
  const auto engine = *PackedNetwork::Create(artifact, *SupportedKernels().front());
  const auto simulation = *TorchNetwork::Create(artifact);
  const MemoryExamples examples = Stripes(20, 3);
  const std::span<const uint8_t> images = examples.rows(0, 20);
  for (int p = 1; p < static_cast<int>(artifact.points.size()); ++p) {
    const LayerTrace served = *engine->Trace(p, images), trained = *simulation->Trace(p, images);
    for (size_t i = 0; i < served.size(); ++i) EXPECT_EQ(served[i].codes, trained[i].codes) << served[i].node;
  }
}

TEST(Train, GoesOnAfterACheckpointAsIfItHadNeverStopped) {
  TrainerOptions options = SmallOptions();
  const Artifact whole = *TrainSmall(options);

  options.checkpoint = testing::TempDir() + "/trainer_test.pt";
  std::filesystem::remove(options.checkpoint);
  options.checkpoint_interval = 30;
  // Progress is written at step 50, after the checkpoint of step 30: a run whose terminal breaks dies there.
  class Broken : public std::stringbuf {
    int sync() override { throw std::runtime_error("the terminal is gone"); }
  } buffer;
  std::ostream dying(&buffer);
  dying.exceptions(std::ios::badbit);
  EXPECT_FALSE(Train(SmallNetwork(), *ParsePoints(kDefaultPoints), Stripes(500, 1), options, dying, false).ok());
  ASSERT_TRUE(std::filesystem::exists(options.checkpoint));

  options.resume = true;
  std::ostringstream progress;
  const Artifact resumed = *Train(SmallNetwork(), *ParsePoints(kDefaultPoints), Stripes(500, 1), options, progress, false);
  EXPECT_EQ(SerializeArtifact(resumed), SerializeArtifact(whole));
}

TEST(Train, DoesNotGoOnFromAnotherRunsCheckpoint) {
  TrainerOptions options = SmallOptions();
  options.checkpoint = testing::TempDir() + "/trainer_test_other.pt";
  ASSERT_TRUE(TrainSmall(options).ok());
  options.resume = true;
  ASSERT_TRUE(TrainSmall(options).ok());
  options.start_steps = 10;
  const absl::Status status = TrainSmall(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("is of another run"), std::string::npos) << status;
}

// The fold into scales and biases changes nothing but roundings: what Forward computes with the statistics of one batch is
// what the exported network computes on that batch.
TEST(TrainableNetwork, ExportsWhatItComputes) {
  torch::manual_seed(1);
  const MemoryExamples set = Stripes(64, 4);
  const torch::Tensor images =
      torch::from_blob(const_cast<uint8_t*>(set.rows(0, 64).data()), {64, 16, 16, 1}, torch::kUInt8).clone();
  TrainableNetwork network(SmallNetwork(), *ParsePoints("fp32,w8a8,w4a4,w2a2,w1a1"), 5);
  torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> forward;
  for (int p = 0; p < 5; ++p) {
    // Away from their initial values, so that a forgotten factor shows.
    for (torch::Tensor& t : network->norms()) t.mul_(0.9).add_(torch::rand_like(t) * 0.1);
    if (p > 0) network->CalibrateSteps(p, images);
  }
  for (int p = 0; p < 5; ++p) forward.push_back(network->Forward(p, images, /*momentum=*/1.0));
  const auto simulation = *TorchNetwork::Create(network->Export());
  for (int p = 0; p < 5; ++p) {
    std::vector<float> logits(64 * 4);
    ASSERT_TRUE(simulation->Run(p, set.rows(0, 64), logits, *simulation->MakeScratch(64)).ok());
    const torch::Tensor served = torch::from_blob(logits.data(), {64, 4});
    // A value next to a rounding boundary may fall to either side: the mean tells a factor from that.
    const double spread = (forward[p] - forward[p].mean()).abs().mean().item<double>();
    const double error = (served - forward[p]).abs().mean().item<double>();
    EXPECT_LT(error, 0.02 * spread) << network->points()[p].name;
  }
}

TEST(Train, RefusesOptionsThatDoNotFit) {
  const auto error = [](auto change) {
    TrainerOptions options = SmallOptions();
    change(options);
    return std::string(TrainSmall(options).status().message());
  };
  EXPECT_EQ(error([](TrainerOptions& o) { o.batch = 401; }), "batch of 401 and 100 held-out images do not fit 500 images");
  EXPECT_EQ(error([](TrainerOptions& o) { o.start_steps = -1; }), "-1 + 40 steps are no training");
  EXPECT_EQ(error([](TrainerOptions& o) { o.resume = true; }), "resume without a checkpoint");
  EXPECT_EQ(error([](TrainerOptions& o) { o.device = "tpu"; }), "device 'tpu' is not cpu or cuda");
  std::ostringstream progress;
  EXPECT_EQ(Train(FashionNetwork(8), *ParsePoints("w8a8"), Stripes(500, 1), SmallOptions(), progress, false).status().message(),
            "images of 16x16x1 for a network of 32x32x1");
}

TEST(ChildCodes, AreTheServingFormula) {
  const torch::Tensor q8 = torch::arange(-127, 128).to(torch::kFloat32);
  for (int step = 1; step <= 127; ++step) {
    const CodeRange range{.step = step, .lo = -100, .hi = 90};
    const torch::Tensor codes = ChildCodes(q8, range);
    for (int i = 0; i < 255; ++i) ASSERT_EQ(codes[i].item<float>(), ChildCode(i - 127, range)) << step << " " << i;
  }
  const CodeRange sign = StandardRange(*BitWidth::FromBits(1));
  for (int i = 0; i < 255; ++i) ASSERT_EQ(ChildCodes(q8, sign)[i].item<float>(), ChildCode(i - 127, sign));
}

TEST(QuantizeActivations, PassesGradientsInsideTheRangeAndGivesTheStepItsShare) {
  const torch::Tensor x = torch::tensor({-1.0f, 0.3f, 0.5f, 1.2f, 9.0f}).set_requires_grad(true);
  const torch::Tensor step = torch::tensor({0.5f}).set_requires_grad(true);
  const torch::Tensor y = QuantizeActivations(x, step, 4);
  EXPECT_TRUE(torch::equal(y, torch::tensor({0.0f, 0.5f, 0.5f, 1.0f, 2.0f})));
  y.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), torch::tensor({0.0f, 1.0f, 1.0f, 1.0f, 0.0f})));
  // Inside: round(v) - v for v = .6, 1, 2.4; above: the highest code.
  EXPECT_NEAR(step.grad().item<float>(), (0.4 + 0.0 - 0.4 + 4.0) / std::sqrt(5.0 * 4.0), 1e-6);
}

TEST(QuantizeActivations, GivesTheSameByThePassesAndByTensorOperations) {
  torch::manual_seed(1);
  const torch::Tensor values = torch::randn({4, 6, 5, 5}) * 2;
  // Double precision takes the general path; this one keeps every value on a float.
  const auto run = [&](torch::ScalarType type) {
    const torch::Tensor x = values.to(type).detach().set_requires_grad(true);
    const torch::Tensor step = torch::full({1}, 0.25).to(type).set_requires_grad(true);
    const torch::Tensor y = QuantizeActivations(x, step, 12);
    (y * y).sum().backward();
    return std::vector<torch::Tensor>{y.to(torch::kFloat32), x.grad().to(torch::kFloat32), step.grad().to(torch::kFloat32)};
  };
  const auto passes = run(torch::kFloat32), general = run(torch::kFloat64);
  for (size_t i = 0; i < passes.size(); ++i) EXPECT_TRUE(torch::allclose(passes[i], general[i], 1e-5, 1e-6)) << i;
}

}  // namespace
}  // namespace anybit
