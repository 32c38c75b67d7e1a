#include "model/format/zero_points.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/format/artifact.h"
#include "model/format/code_range.h"
#include "model/kernels/reference.h"
#include "model/testing/random_artifact.h"
#include "model/testing/reference_network.h"

namespace anybit::model {
namespace {

TEST(MiddleCode, HalvesTheCodes) {
  EXPECT_EQ(MiddleCode(255), 128);
  EXPECT_EQ(MiddleCode(12), 6);
  EXPECT_EQ(MiddleCode(3), 2);
  EXPECT_EQ(MiddleCode(2), 1);
  EXPECT_EQ(MiddleCode(1), 1);
}

TEST(ZeroPointOf, IsZeroBehindAReluAndAtFullPrecision) {
  PlannedNode node;
  EXPECT_EQ(ZeroPointOf(node, 255), 0);
  node.relu = false;
  EXPECT_EQ(ZeroPointOf(node, 255), 128);
  EXPECT_EQ(ZeroPointOf(node, 0), 0);
}

// Node by node: what the integer network computes with unsigned codes and moved biases is what the formula gives with
// signed codes and biases as they were.
class FoldedZeroPoints : public testing::TestWithParam<int> {};

TEST_P(FoldedZeroPoints, ChangeNothingButWhichCodeStandsForZero) {
  const int p = GetParam();
  const Artifact plain = RandomArtifact(*ArchitectureByName("mobilenetv2:width=0.25,side=12"), 1);
  Artifact folded = plain;
  FoldZeroPoints(folded);
  ASSERT_TRUE(ValidateArtifact(folded).ok());
  const NetworkPlan plan = *PlanNetwork(plain.spec);
  std::vector<float> logits;
  const std::vector<uint8_t> image = RandomImages(plain, 1, 2);
  const LayerTrace trace = ReferenceRun(folded, ToPointId(p), image, logits);

  const auto zero_of = [&](int index) {
    if (index == kNetworkInput || plan.nodes[index].kind != NodeKind::kConv) return 0;
    return ZeroPointOf(plan.nodes[index], plain.points[p].layers[plan.nodes[index].layer].highest_code);
  };
  const auto signed_codes = [&](int index) {
    std::vector<int32_t> codes(image.begin(), image.end());
    if (index != kNetworkInput) codes = trace[index].codes;
    for (int32_t& code : codes) code -= zero_of(index);
    return codes;
  };
  int without_relu = 0, differing = 0, compared = 0;
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    if (node.kind != NodeKind::kConv) continue;
    without_relu += !node.relu;
    const LayerEpilogue& layer = plain.points[p].layers[node.layer];
    std::vector<int32_t> weights;
    for (int8_t q8 : plain.store[node.layer].q8) weights.push_back(ChildCode(q8, layer.weights));
    const std::vector<int32_t> sums = ReferenceConvSums(node, signed_codes(node.input), weights);
    const std::vector<int32_t> residual = node.has_residual ? signed_codes(node.residual) : std::vector<int32_t>();
    const int zero = zero_of(static_cast<int>(n));
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t o = i % node.out.channels;
      double y = double{layer.scale[o]} * sums[i] + layer.bias[o];
      if (node.has_residual) y += double{layer.residual_scale} * residual[i];
      const double code = std::clamp<double>(std::nearbyint(y), -zero, layer.highest_code - zero) + zero;
      // A value within float's precision of the middle of two codes may round to either.
      EXPECT_NEAR(trace[n].codes[i], code, std::abs(y - std::floor(y) - 0.5) < 1e-3 ? 1 : 0) << node.name;
      differing += trace[n].codes[i] != static_cast<int32_t>(code);
      ++compared;
    }
  }
  EXPECT_GT(without_relu, 10);
  EXPECT_LT(differing, compared / 500);
}

INSTANTIATE_TEST_SUITE_P(QuantizedPoints, FoldedZeroPoints, testing::Range(1, 6));

TEST(FoldZeroPoints, LeavesNetworksAsTheyAreWhereReluIsEverywhere) {
  const Artifact plain = RandomArtifact(*ArchitectureByName("fashion_tiny"), 1);
  Artifact folded = plain;
  FoldZeroPoints(folded);
  EXPECT_EQ(SerializeArtifact(folded), SerializeArtifact(plain));
}

TEST(FoldZeroPoints, LeavesFullPrecisionAsItIs) {
  const Artifact plain = RandomArtifact(*ArchitectureByName("mobilenetv2:width=0.25,side=12"), 1);
  Artifact folded = plain;
  FoldZeroPoints(folded);
  for (size_t i = 0; i < plain.store.size(); ++i)
    EXPECT_EQ(folded.points[0].layers[i].bias, plain.points[0].layers[i].bias);
}

}  // namespace
}  // namespace anybit::model
