#include "model/train/trainer/optimizer.h"

#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

// The fused steps against LibTorch's own optimizers; one parameter has no gradient in the second step.
class OptimizerOfKind : public testing::TestWithParam<OptimizerKind> {};

TEST_P(OptimizerOfKind, StepsLikeLibTorchsAndLeavesParametersWithoutGradientAlone) {
  torch::manual_seed(1);
  std::vector<torch::Tensor> ours = {torch::randn({5, 7}), torch::randn({3})}, theirs;
  for (torch::Tensor& t : ours) theirs.push_back(t.clone().set_requires_grad(true));
  for (torch::Tensor& t : ours) t.set_requires_grad(true);
  Optimizer optimizer(GetParam(), 0.9, {{ours, 0.5, 0.1}});
  std::unique_ptr<torch::optim::Optimizer> reference;
  if (GetParam() == OptimizerKind::kAdamW) {
    reference = std::make_unique<torch::optim::AdamW>(theirs, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  } else {
    reference = std::make_unique<torch::optim::SGD>(
        theirs, torch::optim::SGDOptions(0.01).momentum(0.9).nesterov(true).weight_decay(0.1));
  }
  for (int step = 0; step < 3; ++step) {
    optimizer.ClearGradients();
    reference->zero_grad();
    for (size_t i = 0; i < ours.size(); ++i) {
      if (step == 1 && i == 1) continue;
      const torch::Tensor gradient = torch::randn_like(ours[i].detach());
      ours[i].mutable_grad() = gradient;
      theirs[i].mutable_grad() = gradient.clone();
    }
    optimizer.Step(0.02);
    reference->step();
    for (size_t i = 0; i < ours.size(); ++i)
      EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-4, 1e-6)) << step << " " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OptimizerOfKind, testing::Values(OptimizerKind::kAdamW, OptimizerKind::kSgd));

TEST(Optimizer, MovesByTheGradientAloneWithoutMomentum) {
  const torch::Tensor parameter = torch::full({1}, 1.0).set_requires_grad(true);
  Optimizer optimizer(OptimizerKind::kSgd, /*momentum=*/0, {{.parameters = {parameter}}});
  for (const double gradient : {3.0, 5.0}) {
    parameter.mutable_grad() = torch::full({1}, gradient);
    optimizer.Step(0.1);
  }
  EXPECT_FLOAT_EQ(parameter.item<float>(), 1 - 0.1 * (3 + 5));
}

// The value of a parameter, initially `start`, after three steps with gradients of both signs.
double After(Optimizer& optimizer, torch::Tensor parameter) {
  for (const double gradient : {1.0, 3.0, -0.5}) {
    parameter.mutable_grad() = torch::full_like(parameter.detach(), gradient);
    optimizer.Step(0.1);
  }
  return parameter.item<double>();
}

double Moved(double start, bool relative, OptimizerKind kind = OptimizerKind::kAdamW, double decay = 0) {
  const torch::Tensor parameter = torch::full({1}, start, torch::kFloat64).set_requires_grad(true);
  Optimizer optimizer(kind, 0.9, {{.parameters = {parameter}, .weight_decay = decay, .relative = relative}});
  return After(optimizer, parameter);
}

TEST(Optimizer, MovesARelativeParameterByAPartOfItself) {
  const double small = Moved(0.01, true), large = Moved(100, true);
  EXPECT_NEAR(small / 0.01, large / 100, 1e-9);
  EXPECT_LT(small, 0.01);  // most gradients are positive
  EXPECT_GT(small, 0.7 * 0.01);
  EXPECT_NEAR(Moved(1, false) - 1, Moved(100, false) - 100, 1e-9);
  EXPECT_LT(Moved(0.01, false), 0);
}

TEST(Optimizer, DecaysARelativeParameterLikeAnyOther) {
  const double plain = Moved(1, true), decayed = Moved(1, true, OptimizerKind::kAdamW, 0.1);
  EXPECT_NEAR(decayed / plain, std::pow(1 - 0.1 * 0.1, 3), 5e-3);
}

TEST(Optimizer, TakesPlainGradientDescentAsItIs) {
  EXPECT_EQ(Moved(2, true, OptimizerKind::kSgd), Moved(2, false, OptimizerKind::kSgd));
}

TEST(Optimizer, BeginsAnewAfterAReset) {
  for (const OptimizerKind kind : {OptimizerKind::kAdamW, OptimizerKind::kSgd}) {
    const torch::Tensor parameter = torch::ones({1}, torch::kFloat64).set_requires_grad(true);
    Optimizer optimizer(kind, 0.9, {{.parameters = {parameter}}});
    const double once = After(optimizer, parameter);
    parameter.detach().fill_(1);
    EXPECT_NE(After(optimizer, parameter), once);
    parameter.detach().fill_(1);
    optimizer.Reset();
    EXPECT_EQ(After(optimizer, parameter), once);
  }
}

}  // namespace
}  // namespace anybit::model::train
