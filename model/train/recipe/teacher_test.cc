#include "model/train/recipe/teacher.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

std::vector<PointRecipe> Points(const char* list) { return *ParsePoints(list); }

TEST(HighestFirst, OrdersByLevelsOfWeightsAndActivationsTogether) {
  const auto order = [](const char* list) { return HighestFirst(Points(list)); };
  EXPECT_EQ(order("w1a1,w3a2f,fp32,w4a4f,w8a8"), (std::vector<int>{2, 4, 3, 1, 0}));
  EXPECT_EQ(order("w2a2,w4a4f,w4a4"), (std::vector<int>{2, 1, 0}));  // fitted ranges have fewer levels
  EXPECT_EQ(order("w2a4,w4a2"), (std::vector<int>{0, 1}));           // equal precision: in the given order
}

TEST(PossibleTeachers, AreOfStrictlyHigherPrecisionAndDue) {
  const std::vector<PointRecipe> points = Points("fp32,w8a8,w2a4,w4a2,w1a1");
  const std::vector<int> all = {0, 1, 2, 3, 4};
  EXPECT_EQ(PossibleTeachers(points, all, 0), std::vector<int>{});
  EXPECT_EQ(PossibleTeachers(points, all, 3), (std::vector<int>{0, 1}));  // w2a4 has the same precision
  EXPECT_EQ(PossibleTeachers(points, all, 4), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(PossibleTeachers(points, std::vector<int>{2, 4}, 4), std::vector<int>{2});
}

const std::vector<TeacherCandidate> kCandidates = {{.point = 7, .loss = 0.5, .divergence = 0.3},
                                                   {.point = 3, .loss = 0.4, .divergence = 0.2},
                                                   {.point = 5, .loss = 0.6, .divergence = 0.2}};

TEST(ChooseTeacher, FollowsItsRule) {
  EXPECT_EQ(ChooseTeacher(TeacherRule::kNone, kCandidates, 0), kNoTeacher);
  EXPECT_EQ(ChooseTeacher(TeacherRule::kNext, kCandidates, 0), 5);
  EXPECT_EQ(ChooseTeacher(TeacherRule::kHighest, kCandidates, 0), 7);
  EXPECT_EQ(ChooseTeacher(TeacherRule::kLowestLoss, kCandidates, 0), 3);
  EXPECT_EQ(ChooseTeacher(TeacherRule::kClosest, kCandidates, 0), 5);  // of equal values the nearer in precision
}

TEST(ChooseTeacher, DrawsEveryCandidate) {
  std::set<int> drawn;
  for (uint64_t draw = 0; draw < 10; ++draw) drawn.insert(ChooseTeacher(TeacherRule::kRandom, kCandidates, draw));
  EXPECT_EQ(drawn, (std::set<int>{3, 5, 7}));
}

TEST(ChooseTeacher, HasNoneForTheHighestPoint) {
  for (TeacherRule rule : {TeacherRule::kNext, TeacherRule::kHighest, TeacherRule::kRandom, TeacherRule::kLowestLoss}) {
    EXPECT_EQ(ChooseTeacher(rule, {}, 1), kNoTeacher);
  }
}

TEST(ChooseTeacher, NeverPrefersALossThatIsNoNumber) {
  const std::vector<TeacherCandidate> candidates = {{.point = 1, .loss = 0.5}, {.point = 2, .loss = NAN}};
  EXPECT_EQ(ChooseTeacher(TeacherRule::kLowestLoss, candidates, 0), 1);
}

TEST(Distills, WithinItsWindowAlone) {
  Recipe recipe{.loss = LossRule::kBoth, .distill_begin = 0.2, .distill_end = 0.9};
  EXPECT_FALSE(Distills(recipe, 0.19));
  EXPECT_TRUE(Distills(recipe, 0.2));
  EXPECT_TRUE(Distills(recipe, 0.89));
  EXPECT_FALSE(Distills(recipe, 0.9));
  recipe.loss = LossRule::kLabels;
  EXPECT_FALSE(Distills(recipe, 0.5));
}

}  // namespace
}  // namespace anybit::model::train
