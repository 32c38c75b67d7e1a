#include "model/train/search/attribution.h"

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

AttributionMaps Maps(std::vector<double> values) {
  AttributionMaps maps{.values = std::move(values), .classes = {}};
  maps.classes.resize(maps.values.size() / 4);
  return maps;
}

TEST(AttributionTest, CorrelationIsThatOfRanks) {
  EXPECT_DOUBLE_EQ(RankCorrelation(Maps({1, 2, 3, 4}), Maps({10, 200, 3000, 40000})), 1);
  EXPECT_DOUBLE_EQ(RankCorrelation(Maps({1, 2, 3, 4}), Maps({4, 3, 2, 1})), -1);
  // Ranks 0 1 2 3 and 1 0 3 2: 1 - 6 * 4 / (4 * 15).
  EXPECT_DOUBLE_EQ(RankCorrelation(Maps({1, 2, 3, 4}), Maps({2, 1, 4, 3})), 0.6);
}

TEST(AttributionTest, EqualValuesShareTheirRank) {
  // Ranks 0.5 0.5 2 3 with themselves.
  EXPECT_DOUBLE_EQ(RankCorrelation(Maps({0, 0, 1, 2}), Maps({0, 0, 1, 2})), 1);
  EXPECT_EQ(RankCorrelation(Maps({0, 0, 0, 0}), Maps({5, 5, 5, 5})), 1);
  EXPECT_EQ(RankCorrelation(Maps({0, 0, 0, 0}), Maps({1, 2, 3, 4})), 0);
}

TEST(AttributionTest, CorrelationIsTheMeanOverImages) {
  EXPECT_DOUBLE_EQ(RankCorrelation(Maps({1, 2, 3, 4, 1, 2, 3, 4}), Maps({1, 2, 3, 4, 4, 3, 2, 1})), 0);
}

// A network of one pixel row of features: the head reads a pool of 4 places and 2 channels.
TEST(AttributionTest, MapIsThePositivePartOfTheClasssWeightedFeatures) {
  PlannedNode pool{.name = "pool", .kind = NodeKind::kGlobalPool, .in = {2, 2, 2}, .out = {1, 1, 2}};
  PlannedNode head{.name = "head", .kind = NodeKind::kLinear, .input = 0, .layer = 0, .out = {1, 1, 2}};
  head.depth = 2;
  const NetworkPlan plan{.input = {}, .nodes = {pool, head}, .layers = {1}};
  const LayerStore store{.q8 = {1, -1, 0, 2}, .scale = {1, 1}, .full = {}};
  const LayerEpilogue epilogue{.weights = {}, .scale = {0.5, 0.5}, .bias = {0, 0}};
  const std::vector<uint8_t> codes = {3, 0, 1, 2, 0, 4, 5, 5};  // sums 9 and 11: logits -1 and 11
  const AttributionMaps maps = *MapsOf(plan, store, epilogue, codes);
  EXPECT_EQ(maps.classes, (std::vector<int>{1}));
  EXPECT_EQ(maps.values, (std::vector<double>{0, 2, 4, 5}));
  const std::vector<int> other = {0};
  EXPECT_EQ(MapsOf(plan, store, epilogue, codes, other)->values, (std::vector<double>{1.5, 0, 0, 0}));
}

TEST(AttributionTest, NetworkWithoutAGlobalPoolIsRefused) {
  PlannedNode head{.name = "head", .kind = NodeKind::kLinear, .layer = 0, .out = {1, 1, 2}};
  const NetworkPlan plan{.input = {}, .nodes = {head}, .layers = {0}};
  EXPECT_EQ(MapsOf(plan, {}, {}, {}).status().message(),
            "attribution needs a last layer that reads a global pool; 'head' does not");
}

}  // namespace
}  // namespace anybit::model::train
