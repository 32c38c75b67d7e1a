// Convolutions of floats and of bfloat16 numbers on an emulated block, against sums in double precision, over the
// shapes of the CPU engine's test. No GPU.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/format/bfloat16.h"
#include "model/kernels/cuda/algorithm.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/cuda/testing/conv_case.h"
#include "model/kernels/cuda/testing/run_on_host.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {
namespace {

constexpr float kScale = 0.75f, kBias = 0.5f, kResidualScale = 2.0f;

struct Way {
  int architecture;
  Algorithm algorithm;
  bool bfloat16;
  std::string name;
};

// A convolution with random operands. Weights have all 24 bits of a float, also where bfloat16 numbers are multiplied:
// to round them is the kernels' part.
class FloatConv {
 public:
  FloatConv(const ConvShape& shape, bool bfloat16, bool with_residual, uint64_t seed)
      : node_(NodeOf(shape)), bfloat16_(bfloat16), weights_(node_.weights()) {
    node_.relu = shape.out % 2 == 0;
    problem_ = ProblemOfShape(node_, /*image_input=*/true);
    problem_.full_precision = true;
    problem_.bfloat16 = bfloat16;
    if (with_residual) problem_.residual_stored = problem_.geometry.out_stored;
    std::mt19937_64 random(seed);
    const auto draw = [&](double lo, double hi) {
      return static_cast<float>(lo + (hi - lo) * static_cast<double>(random() >> 11) * 0x1p-53);
    };
    const auto value = [&](double lo, double hi) { return bfloat16 ? RoundToBfloat16(draw(lo, hi)) : draw(lo, hi); };
    for (float& weight : weights_) weight = draw(-2, 2);
    in_.assign(kImages * node_.in.height * node_.in.width * problem_.in_stored, 0);
    for (size_t i = 0; i < in_.size(); ++i) {
      if (static_cast<int64_t>(i) % problem_.in_stored < node_.in.channels) in_[i] = value(-1, 3);
    }
    residual_.assign(with_residual ? kImages * node_.out.height * node_.out.width * problem_.residual_stored : 0, 0);
    for (float& added : residual_) added = value(0, 2);
  }

  const ConvProblem& problem() const { return problem_; }

  // [image][pixel][stored channels]
  std::vector<float> Run(int architecture, Algorithm algorithm) const {
    std::vector<Chunk> panel(PanelBytes(architecture, algorithm, problem_) / 16);
    std::vector<Chunk> workspace(WorkspaceBytes(architecture, algorithm, problem_, kImages) / 16 + 1);
    auto* const panel_bytes = reinterpret_cast<uint8_t*>(panel.data());
    for (const KernelCall& call :
         PanelCalls(architecture, algorithm, problem_, nullptr, weights_.data(), panel_bytes)) {
      RunOnHost(call);
    }
    const std::vector<float> scale(RoundUpTo(node_.out.channels, kTileOutputs), kScale);
    std::vector<float> bias(scale.size(), kBias);
    std::fill(bias.begin() + node_.out.channels, bias.end(), 0);
    std::vector<float> out(kImages * node_.out.height * node_.out.width * problem_.geometry.out_stored, 77);
    const ConvOperands operands{.in = in_.data(),
                                .panel = panel_bytes,
                                .full = weights_.data(),
                                .epilogue = {.scale = scale.data(),
                                             .bias = bias.data(),
                                             .residual = residual_.empty() ? nullptr : residual_.data(),
                                             .residual_stored = problem_.residual_stored,
                                             .residual_scale = kResidualScale,
                                             .relu = node_.relu,
                                             .bfloat16 = bfloat16_},
                                .workspace = reinterpret_cast<uint8_t*>(workspace.data()),
                                .out = out.data()};
    for (const KernelCall& call : ConvCalls(architecture, algorithm, problem_, kImages, operands)) {
      RunOnHost(call, Schedule::kBackwardsEarlyCopies);
    }
    return out;
  }

  // Calls check(value in double precision, how far a sum in floats may be from it, value of `out`).
  template <class Check>
  void ForEachOutput(const std::vector<float>& out, const Check& check) const {
    const int64_t pixels = node_.out.height * node_.out.width;
    for (size_t at = 0; at < out.size(); ++at) {
      const auto pixel = static_cast<int64_t>(at) / problem_.geometry.out_stored;
      const int64_t o = static_cast<int64_t>(at) % problem_.geometry.out_stored;
      if (o >= node_.out.channels) {
        ASSERT_EQ(out[at], 0) << "stored channel " << o;
        continue;
      }
      double magnitude = 0;
      double value = Sum(pixel / pixels, pixel % pixels, o, magnitude) * kScale + kBias;
      if (!residual_.empty()) value += residual_[at] * kResidualScale;
      // docs/formats.md; and two roundings of the epilogue.
      const double error =
          static_cast<double>(node_.depth) * magnitude * kScale * 0x1p-24 + (std::abs(value) + magnitude + 4) * 0x1p-23;
      check(node_.relu ? std::max(0.0, value) : value, error, out[at]);
    }
  }

 private:
  static constexpr int64_t kImages = 2;

  double Sum(int64_t image, int64_t pixel, int64_t o, double& magnitude) const {
    const int64_t channels = node_.depthwise ? 1 : node_.in.channels;
    double sum = 0;
    for (int64_t d = 0; d < node_.depth; ++d) {
      const int64_t y = pixel / node_.out.width * node_.stride - node_.padding + d / channels / node_.kernel;
      const int64_t x = pixel % node_.out.width * node_.stride - node_.padding + d / channels % node_.kernel;
      if (y < 0 || x < 0 || y >= node_.in.height || x >= node_.in.width) continue;
      const int64_t from = (image * node_.in.height + y) * node_.in.width + x;
      const float weight = weights_[o * node_.depth + d];
      const double product = double{in_[from * problem_.in_stored + (node_.depthwise ? o : d % channels)]} *
                             (bfloat16_ ? RoundToBfloat16(weight) : weight);
      sum += product;
      magnitude += std::abs(product);
    }
    return sum;
  }

  PlannedNode node_;
  bool bfloat16_;
  ConvProblem problem_;
  std::vector<float> weights_, in_, residual_;
};

class FloatConvTest : public testing::TestWithParam<Way> {};

TEST_P(FloatConvTest, IsNearASumInDoublesOnEveryShape) {
  const Way& way = GetParam();
  int taken = 0;
  uint64_t seed = 0;
  for (const ConvShape& shape : kConvShapes) {
    ++seed;
    const FloatConv conv(shape, way.bfloat16, seed % 2 == 0, seed);
    if (!Offers(way.architecture, way.algorithm, conv.problem())) continue;
    ++taken;
    const std::vector<float> out = conv.Run(way.architecture, way.algorithm);
    conv.ForEachOutput(out, [&](double expected, double error, float got) {
      if (way.bfloat16) {
        // Between the nearest numbers of the ends of what the sum may be: one number, nearly always.
        ASSERT_GE(got, RoundToBfloat16(static_cast<float>(expected - error))) << seed << " " << expected;
        ASSERT_LE(got, RoundToBfloat16(static_cast<float>(expected + error))) << seed << " " << expected;
      } else {
        ASSERT_NEAR(got, expected, error) << seed;
      }
    });
  }
  EXPECT_GT(taken, 5);
}

INSTANTIATE_TEST_SUITE_P(All, FloatConvTest,
                         testing::Values(Way{80, Algorithm::kFloats, false, "floats"},
                                         Way{80, Algorithm::kDepthwise, false, "depthwise"},
                                         Way{80, Algorithm::kDepthwise, true, "depthwise_of_bfloat16"},
                                         Way{75, Algorithm::kFloats, true, "bfloat16_without_tensor_cores"},
                                         Way{80, Algorithm::kBfloat16Of64, true, "bfloat16_64"},
                                         Way{80, Algorithm::kBfloat16Of128, true, "bfloat16_128"}),
                         [](const auto& info) { return info.param.name; });

// The engine compares the logits of kernels that it measures, so those of one architecture must agree in every bit.
TEST(FloatConv, TilesOfBothSizesGiveEqualValues) {
  const FloatConv conv({9, 7, 32, 40, 3, 2, 1}, true, true, 3);
  EXPECT_EQ(conv.Run(80, Algorithm::kBfloat16Of64), conv.Run(80, Algorithm::kBfloat16Of128));
}

TEST(Offers, Bfloat16TensorCoresOnlyWhereTheyAreAndOnlyToBfloat16Points) {
  const FloatConv floats({8, 8, 32, 32, 3, 1, 1}, false, false, 1), halves({8, 8, 32, 32, 3, 1, 1}, true, false, 1);
  for (const Algorithm algorithm : {Algorithm::kBfloat16Of64, Algorithm::kBfloat16Of128}) {
    EXPECT_TRUE(Offers(80, algorithm, halves.problem()));
    EXPECT_FALSE(Offers(75, algorithm, halves.problem()));
    EXPECT_FALSE(Offers(80, algorithm, floats.problem()));
  }
  EXPECT_FALSE(Offers(80, Algorithm::kFloats, halves.problem()));
  EXPECT_TRUE(Offers(75, Algorithm::kFloats, halves.problem()));
}

}  // namespace
}  // namespace anybit::model::cuda
