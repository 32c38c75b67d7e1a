// Sums are floats whatever the gradients are made of; those of bfloat16 are float's of rounded operands.
#include "model/train/network/convolution.h"

#include <torch/torch.h>

#include <gtest/gtest.h>

namespace anybit {
namespace {

struct Result {
  torch::Tensor sums, of_x, of_weights;
};

Result Pass(const torch::Tensor& x, const torch::Tensor& weights, const torch::Tensor& upstream,
            const ConvolutionShape& shape, torch::ScalarType gradients) {
  const torch::Tensor x_leaf = x.detach().clone().set_requires_grad(true);
  const torch::Tensor weights_leaf = weights.detach().clone().set_requires_grad(true);
  const torch::Tensor sums = Convolve(x_leaf, weights_leaf, shape, gradients);
  sums.backward(upstream);
  return {sums.detach(), x_leaf.grad(), weights_leaf.grad()};
}

torch::Tensor Rounded(const torch::Tensor& values) { return values.to(torch::kBFloat16).to(torch::kFloat32); }

// Of bfloat16's half a unit in the last place, for a value rounded after sums that differ in order.
constexpr double kRounding = 1.0 / 256;

struct Case {
  const char* name;
  int64_t channels, filters, kernel;
  ConvolutionShape shape;
};

class ConvolveInBFloat16 : public testing::TestWithParam<Case> {};

TEST_P(ConvolveInBFloat16, HasTheSumsOfFloatsAndTheGradientsOfRoundedOperands) {
  const Case& c = GetParam();
  torch::manual_seed(1);
  const torch::Tensor x = torch::randn({3, c.channels, 9, 9}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor weights = torch::randn({c.filters, c.channels / c.shape.groups, c.kernel, c.kernel});
  const Result exact = Pass(x, weights, torch::ones({}).expand_as(Convolve(x, weights, c.shape, torch::kFloat32)),
                           c.shape, torch::kFloat32);
  const torch::Tensor upstream = torch::randn_like(exact.sums);
  const Result of_rounded = Pass(Rounded(x), Rounded(weights), Rounded(upstream), c.shape, torch::kFloat32);
  const Result of_floats = Pass(x, weights, upstream, c.shape, torch::kFloat32);
  const Result result = Pass(x, weights, upstream, c.shape, torch::kBFloat16);
  EXPECT_TRUE(torch::equal(result.sums, exact.sums));
  for (const auto& [got, wanted, unrounded] :
       {std::tuple(result.of_x, of_rounded.of_x, of_floats.of_x),
        std::tuple(result.of_weights, of_rounded.of_weights, of_floats.of_weights)}) {
    EXPECT_EQ(got.scalar_type(), torch::kFloat32);
    EXPECT_TRUE(torch::equal(got, Rounded(got)));
    // What cancels in a sum leaves the rounding of its largest terms, of size 1 here.
    EXPECT_TRUE(torch::allclose(got, wanted, kRounding, 1e-4)) << (got - wanted).abs().max();
    EXPECT_FALSE(torch::allclose(got, unrounded, 1e-4, 1e-4));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvolveInBFloat16,
    testing::Values(Case{"Plain", 16, 32, 3, {.padding = 1}}, Case{"OfOneChannel", 1, 8, 3, {.padding = 1}},
                    Case{"WithStride", 16, 24, 3, {.stride = 2, .padding = 1}}, Case{"OfOnePixel", 16, 32, 1, {}},
                    Case{"Depthwise", 16, 16, 3, {.padding = 1, .groups = 16}}),
    [](const auto& info) { return info.param.name; });

TEST(Convolve, LeavesOutTheGradientOfImages) {
  for (const torch::ScalarType type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor x = torch::ones({1, 1, 4, 4});
    const torch::Tensor weights = torch::ones({1, 1, 1, 1}).set_requires_grad(true);
    Convolve(x, weights, {}, type).sum().backward();
    EXPECT_FALSE(x.grad().defined());
    EXPECT_EQ(weights.grad().item<float>(), 16);
  }
}

}  // namespace
}  // namespace anybit
