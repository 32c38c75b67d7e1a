// Training on a GPU gives the results of a CPU. Skipped without a GPU, or with a LibTorch for CPUs only.
#include <cctype>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "model/train/network/trainable_network.h"
#include "model/train/processes/launch.h"
#include "model/train/processes/process_group.h"
#include "model/train/testing/stripes.h"
#include "model/train/testing/training.h"
#include "model/train/trainer/trainer.h"

namespace anybit::model::train {
namespace {

constexpr char kEveryPoint[] = "fp32,w8a8,w4a4f,w3a2f,w1a1";

class OnCuda : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) GTEST_SKIP() << "LibTorch finds no CUDA device";
    at::globalContext().setAllowTF32CuDNN(false);  // as in training
  }

  // All parts of a recipe that have state.
  static TrainerOptions Options() {
    TrainerOptions options = SmallOptions(GetParam());
    options.ema = 0.9;
    options.device = "cuda";
    return options;
  }
};

// The cosine of the angle between two tensors, 1 if both are 0.
double Cosine(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor x = a.to(torch::kCPU, torch::kFloat64).flatten();
  const torch::Tensor y = b.to(torch::kCPU, torch::kFloat64).flatten();
  const double norms = (x.norm() * y.norm()).item<double>();
  return norms == 0 ? (x.norm() + y.norm() == 0).item<bool>() : x.dot(y).item<double>() / norms;
}

TEST_P(OnCuda, PassesForwardAndBackwardAsOnTheCpu) {
  const MemoryExamples set = Stripes(64, 4);
  const torch::Tensor images =
      torch::from_blob(const_cast<uint8_t*>(set.rows(0, 64).data()), {64, 16, 16, 1}, torch::kUInt8).clone();
  const auto make = [&](const torch::Device& device) {
    TrainableNetwork network(StripesNetwork(), *ParsePoints(kEveryPoint), *ParseRecipe(GetParam()), 5);
    network->to(device);
    torch::NoGradGuard no_gradient;
    network->ResetScales();
    for (int p = 1; p < 5; ++p) network->CalibrateSteps(p, images.to(device));
    return network;
  };
  TrainableNetwork host = make(torch::kCPU), device = make(torch::kCUDA);
  for (int p = 0; p < 5; ++p) {
    const std::string name = host->points()[p].name;
    std::vector<torch::Tensor> logits;
    for (auto& [network, place] : {std::pair(host, torch::kCPU), std::pair(device, torch::kCUDA)}) {
      TrainableNetwork running = network;
      for (torch::Tensor& parameter : running->parameters()) parameter.mutable_grad().reset();
      logits.push_back(running->Forward(p, images.to(place)));
      logits.back().square().mean().backward();
      running->PullBackGradients();
    }
    // A value near a rounding boundary may be rounded up or down.
    const torch::Tensor error = (logits[1].cpu() - logits[0]).abs();
    EXPECT_LT(error.mean().item<double>(), 0.01 * logits[0].abs().mean().item<double>()) << name;
    const std::vector<torch::Tensor> expected = host->parameters(), found = device->parameters();
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(expected[i].grad().defined(), found[i].grad().defined()) << name << " " << i;
      if (!expected[i].grad().defined()) continue;
      EXPECT_GT(Cosine(expected[i].grad(), found[i].grad()), 0.98) << name << ": gradient of parameter " << i;
    }
  }
}

void ExpectServesWell(const absl::StatusOr<Artifact>& artifact) {
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  for (double accuracy : Served(*artifact)) EXPECT_GT(accuracy, 0.75);
}

TEST_P(OnCuda, TeachesWhatTheEngineServes) { ExpectServesWell(TrainSmall(Options(), kEveryPoint)); }

// One GPU shows that every call reaches NCCL; the tests over Gloo cover several processes.
TEST_P(OnCuda, TrainsInAGroupOverNccl) {
  const Launch launch{.local_rank = 0};
  const auto rendezvous = *ProcessGroup::Open(launch, std::chrono::seconds(30));
  const auto group = ProcessGroup::Join(launch, *rendezvous, ProcessGroup::Transport::kNccl, std::chrono::seconds(30));
  if (absl::IsUnimplemented(group.status())) GTEST_SKIP() << group.status();
  ASSERT_TRUE(group.ok()) << group.status();
  TrainerOptions options = Options();
  options.group = group->get();
  ExpectServesWell(TrainSmall(options, kEveryPoint));
  EXPECT_TRUE((*group)->Barrier().ok());
}

TEST_P(OnCuda, GoesOnAfterACheckpointAsIfItHadNeverStopped) {
  TrainerOptions options = Options();
  options.bfloat16_backward = true;
  const std::string whole = SerializeArtifact(*TrainSmall(options, kEveryPoint));

  options.checkpoint = absl::StrCat(testing::TempDir(), "/cuda_test_", GetParam(), ".ckpt");
  std::filesystem::remove(options.checkpoint);
  options.checkpoint_interval = 30;
  TrainSmallAndDie(options, 33, kEveryPoint);
  ASSERT_TRUE(std::filesystem::exists(options.checkpoint));
  options.resume = true;
  EXPECT_EQ(SerializeArtifact(*TrainSmall(options, kEveryPoint)), whole);
}

INSTANTIATE_TEST_SUITE_P(Recipes, OnCuda, testing::Values("anybit", "coquant", "double-rounding"),
                         [](const auto& info) {
                           std::string name;
                           for (char c : std::string(info.param)) name += std::isalnum(c) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace anybit::model::train
