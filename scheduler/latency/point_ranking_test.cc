#include "scheduler/latency/point_ranking.h"

#include <chrono>

#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::kHi;
using testing::kLo;
using testing::ThreePoints;

TEST(PointRankingTest, StandsByAccuracyThenByCost) {
  Profile profile = ThreePoints();
  std::swap(profile.points[0], profile.points[2]);
  std::swap(profile.latency[0], profile.latency[2]);
  profile.points[1].accuracy = profile.points[2].accuracy;  // as accurate as the slowest, and faster
  const PointRanking ranking(profile);
  ASSERT_EQ(ranking.points().size(), 3u);
  EXPECT_EQ(ToIndex(ranking.points()[0].id), 1);
  EXPECT_EQ(ToIndex(ranking.points()[1].id), 2);
  EXPECT_EQ(ToIndex(ranking.points()[2].id), 0);
  EXPECT_EQ(ranking.points()[1].dominated_by, uint64_t{1} << 1);
  EXPECT_EQ(ranking.by_value().size(), 2u) << "a dominated point is worth nothing";
}

TEST(PointRankingTest, ARowCostsItsShareOfTheBestBatchAndNoSizeIsEfficientThatCostsMore) {
  Profile profile = ThreePoints();
  profile.latency[ToIndex(kHi)] = {milliseconds(4),  milliseconds(6),  milliseconds(12), milliseconds(12),
                                   milliseconds(30), milliseconds(30), milliseconds(30), milliseconds(30)};
  const PointRanking ranking(profile);
  const RankedPoint& hi = ranking.points()[0];
  ASSERT_EQ(hi.id, kHi);
  EXPECT_EQ(hi.cost, 3e6);
  EXPECT_EQ(hi.efficient, (std::vector<int>{0, 1, 2, 2, 4, 4, 4, 4, 4}));
  EXPECT_EQ(hi.value, hi.accuracy / 3e6);
}

TEST(PointRankingTest, TheMarginGrowsAsAPointGainsLess) {
  Profile profile = ThreePoints();
  const double before = PointRanking(profile).Margin(0, 1);
  profile.points[0].accuracy =
      profile.points[1].accuracy + (profile.points[0].accuracy - profile.points[1].accuracy) / 10;
  EXPECT_GT(PointRanking(profile).Margin(0, 1), before);
  EXPECT_EQ(PointRanking(profile).Margin(1, 0), 0) << "nothing is risked for the dearer one";
}

TEST(PointRankingTest, RankingAnewForgetsTheFormerProfile) {
  Profile slow = ThreePoints();
  for (Duration& latency : slow.latency[ToIndex(kLo)]) latency *= 100;
  PointRanking ranking(slow);
  ranking.Rank(ThreePoints());
  const PointRanking fresh(ThreePoints());
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_EQ(ranking.points()[p].id, fresh.points()[p].id);
    EXPECT_EQ(ranking.points()[p].cost, fresh.points()[p].cost);
    EXPECT_EQ(ranking.points()[p].efficient, fresh.points()[p].efficient);
    EXPECT_EQ(ranking.points()[p].dominated_by, fresh.points()[p].dominated_by);
    for (size_t q = 0; q < 3; ++q) EXPECT_EQ(ranking.Margin(p, q), fresh.Margin(p, q));
  }
  EXPECT_EQ(ranking.by_value(), fresh.by_value());
  EXPECT_EQ(ranking.least_cost(), fresh.least_cost());
}

}  // namespace
}  // namespace anybit::scheduler
