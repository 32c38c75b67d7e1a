#include "model/train/search/review.h"

#include <memory>

#include <gtest/gtest.h>

#include "model/train/search/rank_agreement.h"

namespace anybit::model::train {
namespace {

TEST(RankAgreementTest, EqualOrdersAgreeAndOppositeOnesDisagree) {
  EXPECT_EQ(KendallTau(std::vector<double>{1, 2, 3}, std::vector<double>{10, 20, 21}), 1);
  EXPECT_EQ(KendallTau(std::vector<double>{1, 2, 3}, std::vector<double>{3, 2, -5}), -1);
  // Five of six pairs agree.
  EXPECT_NEAR(KendallTau(std::vector<double>{1, 2, 3, 4}, std::vector<double>{1, 3, 2, 4}), 4.0 / 6, 1e-12);
  EXPECT_EQ(KendallTau(std::vector<double>{1, 2}, std::vector<double>{5, 5}), 0);
}

class ReviewTest : public testing::Test {
 protected:
  // A chain of three layers, the last tied, that costs 1, 10 and 100 at rung "a" and nothing at "b".
  ReviewTest() {
    space_.tree = {
        .names = {"one", "two", "three", "last"}, .source = {LayerTree::kImage, 0, 1, 2}, .tied = {0, 0, 0, 1}};
    space_.rungs = 2;
    space_.costs = {.unit = "us", .base = 0, .layers = {}};
    for (const double cost : {1.0, 10.0, 100.0, 0.0}) space_.costs.layers.push_back({{cost, cost}, {0, 0}});
    report_.points = {{.name = "a", .route = "", .budget = {}, .cost = 111, .held_out = {}, .test = {}},
                      {.name = "mixed1", .route = "", .budget = 11, .cost = 10, .held_out = {}, .test = {}}};
  }

  void Know(const std::string& route, double loss) {
    ASSERT_TRUE(journal_->Add(route, {{"loss", loss}, {"accuracy", 1 - loss}}).ok());
  }

  SearchSpace space_;
  const Ladder ladder_ = {.names = {"a", "b"}, .points = {0, 1}};
  const std::unique_ptr<Journal> journal_ = *Journal::Open("", "", false);
  SearchReport report_;
};

TEST_F(ReviewTest, BestKnownRouteIsThatOfLeastLossWithinTheBudget) {
  Know("a,a,a,a", 0.1);
  Know("a,b,b,b", 0.4);
  Know("a,a,b,b", 0.3);
  Know("b,b,b,b", 0.5);
  Review(*journal_, space_, ladder_, report_);
  EXPECT_FALSE(report_.points[0].best.has_value());
  EXPECT_EQ(report_.points[1].best->routes, 3);
  EXPECT_EQ(report_.points[1].best->loss, 0.3);
  EXPECT_EQ(report_.points[1].best->accuracy, 0.7);
  EXPECT_FALSE(report_.agreement.has_value());
}

TEST_F(ReviewTest, AgreementIsOverRoutesThatNoPenaltyWasTakenFrom) {
  space_.rungs = 3;
  const Ladder three = {.names = {"a", "b", "c"}, .points = {0, 1, 2}};
  report_.penalties = {{0, 1, 2}, {0, 2, 4}, {0, 4, 8}, {0, 0, 0}};
  for (auto& layer : space_.costs.layers) layer = {3, {0, 0, 0}};
  Know("a,a,a,a", 9);    // uniform
  Know("a,a,b,b", 0);    // one layer alone
  Know("a,b,c,c", 0.3);  // 10
  Know("b,a,c,c", 0.2);  // 9
  Know("c,b,a,a", 0.1);  // 4
  Review(*journal_, space_, three, report_);
  ASSERT_TRUE(report_.agreement.has_value());
  EXPECT_EQ(report_.agreement->routes, 3);
  EXPECT_EQ(report_.agreement->tau, 1);
}

}  // namespace
}  // namespace anybit::model::train
