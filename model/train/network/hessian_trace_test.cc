#include "model/train/network/hessian_trace.h"

#include <torch/torch.h>

#include <gtest/gtest.h>

#include "model/train/network/losses.h"
#include "model/train/network/trainable_network.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

constexpr int kRows = 32;

class HessianTraceTest : public testing::Test {
 protected:
  static TrainableNetwork MakeNetwork() {
    return TrainableNetwork(
        StripesNetwork(),
        std::vector<PointRecipe>{{.name = "fp32", .full_precision = true, .weight_bits = 32, .activation_bits = 32}},
        *ParseRecipe("separate"), /*seed=*/3);
  }

  HessianTraceTest() : artifact_(MakeNetwork()->Export()) {
    torch::set_num_threads(1);  // more would slow layers this small
    for (int64_t i = 0; i < kRows; ++i) labels_.push_back(static_cast<int>(examples_.label(i)));
    images_ = torch::empty({kRows, 16, 16, 1}, torch::kUInt8);
    const auto rows = examples_.rows(0, kRows);
    std::copy(rows.begin(), rows.end(), images_.data_ptr<uint8_t>());
  }

  absl::StatusOr<LayerTraces> Traces(int samples) const {
    return TracesOf(artifact_, examples_.rows(0, kRows), labels_, samples, /*seed=*/1);
  }

  const MemoryExamples examples_ = Stripes(kRows, 1);
  const Artifact artifact_;
  std::vector<int> labels_;
  torch::Tensor images_;
};

// The second derivative for each weight of the last layer, by differences of gradients; their sum.
double ExactTraceOfHead(TrainableNetwork network, const torch::Tensor& images, const torch::Tensor& labels) {
  constexpr float kMove = 0.02F;
  torch::Tensor head = network->weights().back();
  const auto slope = [&](int64_t weight, float move) {
    {
      torch::NoGradGuard no_gradient;
      head.view({-1})[weight] += move;
    }
    network->WeightsChanged();
    head.mutable_grad() = torch::Tensor();
    LabelLoss(network->Forward(0, images, /*momentum=*/0), labels, 0).backward();
    network->PullBackGradients();
    torch::NoGradGuard no_gradient;
    head.view({-1})[weight] -= move;
    return head.grad().view({-1})[weight].item<double>();
  };
  double trace = 0;
  for (int64_t weight = 0; weight < head.numel(); ++weight) {
    trace += (slope(weight, kMove) - slope(weight, -kMove)) / (2 * kMove);
  }
  return trace;
}

TEST_F(HessianTraceTest, TraceOfALayerIsTheSumOfItsSecondDerivatives) {
  TrainableNetwork network = MakeNetwork();
  network->StartFrom(artifact_, 0, 0, images_);
  const double exact = ExactTraceOfHead(
      network, images_, torch::tensor(std::vector<int64_t>(labels_.begin(), labels_.end()), torch::kInt64));
  const LayerTraces traces = *Traces(150);
  ASSERT_EQ(traces.mean.size(), network->weights().size());
  EXPECT_GT(exact, 0);
  EXPECT_LT(traces.error.back(), 0.1 * exact);
  EXPECT_NEAR(traces.mean.back(), exact, 4 * traces.error.back() + 0.01 * exact);
}

TEST_F(HessianTraceTest, SeedDecidesTheSamples) {
  EXPECT_EQ(Traces(3)->mean, Traces(3)->mean);
  EXPECT_NE(Traces(3)->mean, TracesOf(artifact_, examples_.rows(0, kRows), labels_, 3, 2)->mean);
}

TEST_F(HessianTraceTest, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(Traces(1).status().message(), "1 samples; at least 2 have an error");
  EXPECT_EQ(TracesOf(artifact_, examples_.rows(0, 2), labels_, 3, 1).status().message(),
            "512 codes for 32 labels of rows of 256");
  Artifact artifact = artifact_;
  artifact.points[0].full_precision = false;
  EXPECT_EQ(TracesOf(artifact, examples_.rows(0, kRows), labels_, 3, 1).status().message(),
            "traces of the Hessian need a full-precision point");
}

}  // namespace
}  // namespace anybit::model::train
