#include "model/train/recipe/recipe.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

std::string Error(const char* text) { return std::string(ParseRecipe(text).status().message()); }

TEST(ParseRecipe, KnowsThePublishedSystems) {
  const Recipe adabits = *ParseRecipe("adabits");
  EXPECT_EQ(adabits.weights, WeightRule::kDoReFa);
  EXPECT_EQ(adabits.group, 0);
  EXPECT_EQ(adabits.activations, ActivationRule::kPact);
  EXPECT_EQ(adabits.teacher, TeacherRule::kNone);
  EXPECT_EQ(adabits.gradients, Combination::kSum);

  const Recipe any_precision = *ParseRecipe("any-precision");
  EXPECT_EQ(any_precision.activations, ActivationRule::kUnit);
  EXPECT_EQ(any_precision.loss, LossRule::kSoft);
  EXPECT_EQ(any_precision.teacher, TeacherRule::kNext);
  EXPECT_EQ(ParseRecipe("any-precision:recursive")->teacher, TeacherRule::kNext);
  EXPECT_EQ(ParseRecipe("any-precision:soft")->teacher, TeacherRule::kHighest);
  EXPECT_EQ(ParseRecipe("any-precision:hard")->loss, LossRule::kLabels);

  const Recipe coquant = *ParseRecipe("coquant");
  EXPECT_EQ(coquant.weights, WeightRule::kRms);
  EXPECT_EQ(coquant.loss, LossRule::kBoth);
  EXPECT_EQ(coquant.teacher, TeacherRule::kLowestLoss);
  EXPECT_GT(coquant.swap, 0);
  EXPECT_EQ(coquant.gradients, Combination::kMean);

  const Recipe double_rounding = *ParseRecipe("double-rounding");
  EXPECT_EQ(double_rounding.weights, WeightRule::kLearned);
  EXPECT_TRUE(double_rounding.clip_gradient);
  EXPECT_EQ(double_rounding.step_rate, 1);
  EXPECT_EQ(double_rounding.scale_decades, 0.5);  // a hundredth at 4 bits

  const Recipe gdrq = *ParseRecipe("gdrq");
  EXPECT_EQ(gdrq.weights, WeightRule::kScaleClip);
  EXPECT_EQ(gdrq.reach, 2);
  EXPECT_EQ(gdrq.group, 4);
  EXPECT_EQ(gdrq.activations, ActivationRule::kScaleClip);
  EXPECT_EQ(gdrq.loss, LossRule::kLabels);

  EXPECT_FALSE(ParseRecipe("separate")->joint);
}

TEST(ParseRecipe, KnowsOurOwnSystem) {
  Recipe same = *ParseRecipe(
      "coquant,weights=scale-clip,loss=labels,temperature=1,swap=0.25,swap_end=0.5,sign_window=1,sign_margin=0.5");
  same.name = "anybit";
  EXPECT_EQ(WholeRecipeText(*ParseRecipe("anybit")), WholeRecipeText(same));
}

TEST(ParseRecipe, TakesOverrides) {
  const Recipe recipe =
      *ParseRecipe("coquant, teacher=closest, swap=0.25,swap_shape=cosine,group=16,kure=0.5,center=1");
  EXPECT_EQ(recipe.teacher, TeacherRule::kClosest);
  EXPECT_EQ(recipe.swap, 0.25);
  EXPECT_EQ(recipe.swap_shape, ScheduleShape::kCosine);
  EXPECT_EQ(recipe.group, 16);
  EXPECT_EQ(recipe.kure, 0.5);
  EXPECT_TRUE(recipe.center);
  EXPECT_EQ(ParseRecipe("coquant,group=layer")->group, 0);
}

TEST(ParseRecipe, TakesTheReachFromTheWeightRuleUnlessItIsGiven) {
  EXPECT_EQ(ParseRecipe("coquant")->reach, 2.5);
  EXPECT_EQ(ParseRecipe("coquant,weights=scale-clip")->reach, 2);
  EXPECT_EQ(ParseRecipe("coquant,reach=3,weights=scale-clip")->reach, 3);
  const Recipe clip = *ParseRecipe("coquant,scale_clip=2.2");
  EXPECT_EQ(clip.weights, WeightRule::kScaleClip);
  EXPECT_EQ(clip.reach, 2.2);
}

TEST(ParseRecipe, NeedsNoTeacherRuleWhereTheStartTeaches) {
  EXPECT_TRUE(LearnsFromFrozen(*ParseRecipe("coquant,teacher=none,swap=0,loss=soft,logits=frozen")));
  EXPECT_FALSE(LearnsFromFrozen(*ParseRecipe("coquant,logits=pure")));
}

TEST(ParseRecipe, NamesTheWrongValueAndTheAllowedOnes) {
  EXPECT_EQ(Error("bitwise"),
            "unknown recipe 'bitwise'; known: anybit, adabits, any-precision, any-precision:recursive, "
            "any-precision:soft, any-precision:hard, coquant, double-rounding, gdrq, separate");
  EXPECT_EQ(Error("coquant,teacher=best"),
            "recipe: teacher=best is not one of none|next|highest|random|lowest-loss|closest");
  EXPECT_EQ(Error("coquant,swap=1.5"), "recipe: swap=1.5 is not one of 0..1");
  EXPECT_EQ(Error("coquant,swap=nan"), "recipe: swap=nan is not one of 0..1");
  EXPECT_EQ(Error("coquant,group=0"), "recipe: group=0 is not one of layer|1..65536");
  EXPECT_EQ(Error("coquant,swap_course=up"), "recipe: swap_course=up is not one of falling|rising");
  EXPECT_EQ(Error("coquant,swap_cycles=0"), "recipe: swap_cycles=0 is not one of 1..1000");
  EXPECT_EQ(Error("coquant,swap=0.2,swap_low=0.3"), "recipe: swap_low=0.3 is above swap=0.2");
  EXPECT_EQ(Error("coquant,swap_begin=0.95"), "recipe: swap_begin=0.95 is above swap_end=0.9");
  EXPECT_EQ(Error("coquant,distill_begin=0.5,distill_end=0.4"), "recipe: distill_begin=0.5 is above distill_end=0.4");
  EXPECT_EQ(Error("coquant,logits=mixed"), "recipe: logits=mixed is not one of routed|pure|frozen");
  EXPECT_EQ(Error("coquant,logits=frozen,loss=labels"),
            "recipe: logits=frozen has no effect with loss=labels; set loss=both");
  EXPECT_EQ(Error("coquant,alpha=1.5"), "recipe: alpha=1.5 is not one of 0..1");
  EXPECT_EQ(Error("coquant,distill_bits=0"), "recipe: distill_bits=0 is not one of 1..8");
  EXPECT_EQ(Error("coquant,gradients=own"), "recipe: gradients=own is not one of sum|mean|mean-shared");
  EXPECT_EQ(Error("coquant,swap"), "recipe: 'swap' is not key=value");
  EXPECT_EQ(Error("coquant,swop=1").substr(0, 50), "recipe: unknown key 'swop'; known: joint, weights,");
  EXPECT_EQ(Error("coquant,teacher=none"),
            "recipe: swap=0.5 needs a teacher to take blocks from, but teacher=none; set swap=0");
  EXPECT_EQ(Error("coquant,swap=0,teacher=none,loss=soft"),
            "recipe: loss=soft learns from a teacher, but teacher=none; set loss=labels");
  EXPECT_EQ(Error("coquant,activation_decay=0.1"), "recipe: activation_decay=0.1 applies only to activations=pact");
  EXPECT_EQ(Error("coquant,joint=0"),
            "recipe: joint=0 trains each point by itself, without a teacher; set teacher=none");
}

class RecipeTextOf : public testing::TestWithParam<const char*> {};

TEST_P(RecipeTextOf, IsShortAndParsesToTheSameRecipe) {
  const Recipe recipe = *ParseRecipe(GetParam());
  EXPECT_EQ(RecipeText(recipe), GetParam());
  EXPECT_EQ(WholeRecipeText(*ParseRecipe(RecipeText(recipe))), WholeRecipeText(recipe));
}

INSTANTIATE_TEST_SUITE_P(Recipes, RecipeTextOf,
                         testing::Values("coquant", "adabits", "any-precision:hard", "separate", "double-rounding",
                                         "coquant,weights=scale-clip", "coquant,weights=scale-clip,reach=3",
                                         "coquant,teacher=next,swap=0,sign_window=2", "coquant,kure=0.123456789",
                                         "coquant,distill_bits=1", "coquant,loss=normalized,alpha=0.9",
                                         "gdrq,activation_reach=4",
                                         "coquant,distill_begin=0.2,swap_low=0.1,swap_course=rising,swap_cycles=4"));

// A key that came later must not change the identity of the runs before it: their checkpoints would not resume.
TEST(WholeRecipeText, HasLaterKeysOnlyWhereTheyAreSet) {
  EXPECT_EQ(WholeRecipeText(*ParseRecipe("coquant")),
            "coquant,joint=1,weights=rms,reach=2.5,group=1,center=0,clip_gradient=0,activations=learned,"
            "activation_decay=0,loss=both,teacher=lowest-loss,temperature=2,distill=1,distill_bits=8,swap=0.5,"
            "swap_end=0.9,swap_shape=linear,kure=0,skew=0,sign_window=0,sign_gain=1,sign_margin=0,gradients=mean,"
            "step_rate=0.1,scale_decades=0");
  const std::string later = WholeRecipeText(*ParseRecipe("coquant,loss=normalized,alpha=0.25"));
  EXPECT_NE(later.find(",alpha=0.25,"), std::string::npos) << later;
}

TEST(RecipeKeys, NameEveryFieldOfTheWholeText) {
  const std::string keys = RecipeKeys();
  std::string whole = WholeRecipeText(*ParseRecipe("coquant"));
  for (size_t at = whole.find(','); at != std::string::npos; at = whole.find(',', at + 1)) {
    const std::string key = whole.substr(at + 1, whole.find('=', at) - at);
    EXPECT_NE(keys.find(key), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace anybit::model::train
