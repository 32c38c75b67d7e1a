// The sums do not depend on the operands of the backward pass. Gradients of rounded operands equal float gradients of
// operands that were rounded before.
#include "model/train/network/convolution.h"

#include <torch/torch.h>

#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

constexpr BackwardOperands kRoundings[] = {BackwardOperands::kBFloat16, BackwardOperands::kRoundedFloat};

struct Result {
  torch::Tensor sums, of_x, of_weights;
};

// The gradients for `upstream`; undefined: for ones.
Result Pass(const torch::Tensor& x, const torch::Tensor& weights, const torch::Tensor& upstream,
            const ConvolutionShape& shape, BackwardOperands backward) {
  const torch::Tensor x_leaf = x.detach().clone().set_requires_grad(true);
  const torch::Tensor weights_leaf = weights.detach().clone().set_requires_grad(true);
  const torch::Tensor sums = Convolve(x_leaf, weights_leaf, shape, backward);
  sums.backward(upstream.defined() ? upstream : torch::ones_like(sums));
  return {sums.detach(), x_leaf.grad(), weights_leaf.grad()};
}

torch::Tensor Rounded(const torch::Tensor& values) { return values.to(torch::kBFloat16).to(torch::kFloat32); }

// Sums in different orders may be rounded differently, to values that are one unit in the last place apart.
constexpr double kUnit = 1.0 / 128;

struct Case {
  const char* name;
  int64_t channels, filters, kernel;
  ConvolutionShape shape;
};

class ConvolveRounded : public testing::TestWithParam<Case> {};

TEST_P(ConvolveRounded, HasTheSumsOfFloatsAndTheGradientsOfRoundedOperands) {
  const Case& c = GetParam();
  torch::manual_seed(1);
  const torch::Tensor x = torch::randn({3, c.channels, 9, 9}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor weights = torch::randn({c.filters, c.channels / c.shape.groups, c.kernel, c.kernel});
  const torch::Tensor sums = Pass(x, weights, {}, c.shape, BackwardOperands::kFloat).sums;
  const torch::Tensor upstream = torch::randn_like(sums);
  const Result floats = Pass(x, weights, upstream, c.shape, BackwardOperands::kFloat);
  const Result wanted = Pass(Rounded(x), Rounded(weights), Rounded(upstream), c.shape, BackwardOperands::kFloat);
  for (const BackwardOperands backward : kRoundings) {
    const Result result = Pass(x, weights, upstream, c.shape, backward);
    EXPECT_TRUE(torch::equal(result.sums, sums));
    for (const auto& [got, rounded, unrounded] :
         {std::tuple(result.of_x, wanted.of_x, floats.of_x),
          std::tuple(result.of_weights, wanted.of_weights, floats.of_weights)}) {
      EXPECT_EQ(got.scalar_type(), torch::kFloat32);
      EXPECT_TRUE(torch::equal(got, Rounded(got)));
      // Where terms of size 1 cancel in a sum, their float rounding remains.
      EXPECT_TRUE(torch::allclose(got, Rounded(rounded), kUnit, 1e-4)) << (got - rounded).abs().max();
      EXPECT_FALSE(torch::allclose(got, unrounded, 1e-4, 1e-4));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvolveRounded,
                         testing::Values(Case{"Plain", 16, 32, 3, {.padding = 1}},
                                         Case{"OfOneChannel", 1, 8, 3, {.padding = 1}},
                                         Case{"WithStride", 16, 24, 3, {.stride = 2, .padding = 1}},
                                         Case{"OfOnePixel", 16, 32, 1, {}},
                                         Case{"Depthwise", 16, 16, 3, {.padding = 1, .groups = 16}}),
                         [](const auto& info) { return info.param.name; });

TEST(Convolve, HasNoGradientForConstants) {
  for (const BackwardOperands backward : kRoundings) {
    for (const bool of_weights : {true, false}) {
      const torch::Tensor x = torch::full({1, 1, 4, 4}, 3.0f).set_requires_grad(!of_weights);
      const torch::Tensor weights = torch::full({1, 1, 1, 1}, 2.0f).set_requires_grad(of_weights);
      Convolve(x, weights, {}, backward).sum().backward();
      const torch::Tensor& learner = of_weights ? weights : x;
      EXPECT_TRUE(torch::equal(learner.grad(), torch::full_like(learner, of_weights ? 16 * 3 : 2)));
    }
  }
}

}  // namespace
}  // namespace anybit::model::train
