// Keys of recipes act on a training as they state.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/format/artifact.h"
#include "model/train/testing/training.h"
#include "model/train/trainer/checkpoint.h"
#include "model/train/trainer/teacher_counts.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {
namespace {

// Each key of a recipe reaches the weights: runs with and without it differ.
TEST(RecipeKeys, EachChangeTheWeights) {
  const auto weights = [](const char* recipe) { return BriefWeights(recipe); };
  const std::vector<float> all = weights("coquant");
  EXPECT_EQ(weights("coquant"), all);
  for (const char* other : {"coquant,swap=0",
                            "coquant,teacher=next",
                            "coquant,teacher=highest",
                            "coquant,distill=0",
                            "coquant,temperature=4",
                            "coquant,loss=soft",
                            "coquant,sign_gain=3",
                            "coquant,gradients=sum",
                            "coquant,kure=1",
                            "coquant,skew=1",
                            "coquant,clip_gradient=1",
                            "coquant,sign_window=1",
                            "coquant,sign_margin=1",
                            "coquant,step_rate=1",
                            "coquant,scale_clip=1",
                            "coquant,gradients=mean-shared",
                            "coquant,temperature=1",
                            "coquant,loss=normalized",
                            "coquant,loss=normalized,alpha=0.25",
                            "coquant,logits=pure",
                            "coquant,distill_begin=0.5",
                            "coquant,distill_end=0.5",
                            "coquant,swap_low=0.4",
                            "coquant,swap_begin=0.3",
                            "coquant,swap_course=rising",
                            "coquant,swap_cycles=2",
                            "coquant,logits=frozen",
                            "coquant,activations=scale-clip",
                            "coquant,activations=scale-clip,activation_reach=3"}) {
    EXPECT_NE(weights(other), all) << other;
  }
}

TEST(RecipeKeys, DistillBitsLimitsTheTaughtPoints) {
  const char* two_bits_and_more = "fp32,w8a8,w4a4,w2a2";
  const std::vector<float> by_labels = BriefWeights("coquant,loss=labels", two_bits_and_more);
  EXPECT_EQ(BriefWeights("coquant,distill_bits=1", two_bits_and_more), by_labels);
  EXPECT_NE(BriefWeights("coquant,distill_bits=2", two_bits_and_more), by_labels);
  EXPECT_NE(BriefWeights("coquant,distill_bits=1"), BriefWeights("coquant,loss=labels"));
}

TEST(RecipeKeys, PureLogitsAreThoseOfThePassWhereNoBlockWasSwapped) {
  EXPECT_EQ(BriefWeights("coquant,swap=0,logits=pure"), BriefWeights("coquant,swap=0"));
  // Of two points the higher teaches, and its blocks are never swapped.
  EXPECT_EQ(BriefWeights("coquant,logits=pure", "fp32,w2a2"), BriefWeights("coquant", "fp32,w2a2"));
  EXPECT_NE(BriefWeights("coquant,teacher=next,logits=pure", "fp32,w4a4,w2a2"),
            BriefWeights("coquant,teacher=next", "fp32,w4a4,w2a2"));
}

TEST(RecipeKeys, ActivationReachSetsTheClipOfActivations) {
  EXPECT_NE(BriefWeights("gdrq", "fp32,w2a4"), BriefWeights("gdrq,activation_reach=3", "fp32,w2a4"));
  EXPECT_NE(BriefWeights("gdrq", "fp32,w2a4"), BriefWeights("gdrq,group=1", "fp32,w2a4"));
}

// A network that learns from its own past alone stays as it was.
TEST(RecipeKeys, FrozenLogitsAreThoseOfTheStartAndTeachTheHighestPointToo) {
  const char* alone = "coquant,teacher=none,swap=0,logits=frozen,loss=soft";
  const auto weights = [](const char* recipe, int64_t joint_steps) {
    TrainerOptions options = SmallOptions(recipe);
    options.joint_steps = joint_steps;
    options.weight_decay = 0;
    options.sgd = true;
    return TrainSmall(options, "fp32")->store[2].full;
  };
  const std::vector<float> start = weights(alone, 0), after = weights(alone, 20),
                           by_labels = weights("coquant,teacher=none,swap=0", 20);
  double moved = 0, moved_by_labels = 0;
  for (size_t i = 0; i < start.size(); ++i) {
    moved = std::max(moved, double{std::abs(after[i] - start[i])});
    moved_by_labels = std::max(moved_by_labels, double{std::abs(by_labels[i] - start[i])});
  }
  EXPECT_LT(moved, 1e-5);
  EXPECT_GT(moved_by_labels, 1e-3);
}

TEST(RecipeKeys, FrozenLogitsLeaveTheRuleToChooseWhoseBlocksAreSwapped) {
  EXPECT_EQ(BriefWeights("coquant,teacher=next,swap=0,logits=frozen"),
            BriefWeights("coquant,teacher=highest,swap=0,logits=frozen"));
  EXPECT_NE(BriefWeights("coquant,teacher=next,logits=frozen"), BriefWeights("coquant,teacher=highest,logits=frozen"));
}

TEST(RecipeKeys, FrozenLogitsStayThoseOfTheStartAfterAnInterruption) {
  TrainerOptions options = SmallOptions("coquant,logits=frozen");
  options.start_steps = 6;
  options.joint_steps = 14;
  const Artifact whole = *TrainSmall(options);
  for (const int64_t interval : {6, 10}) {  // at the very end of the start, and after it
    options.checkpoint = testing::TempDir() + "/recipe_keys_test_frozen.ckpt";
    std::filesystem::remove(options.checkpoint);
    options.checkpoint_interval = interval;
    options.resume = false;
    TrainSmallAndDie(options, interval + 2);
    options.resume = true;
    EXPECT_EQ(SerializeArtifact(*TrainSmall(options)), SerializeArtifact(whole)) << interval;
  }
}

TEST(RecipeKeys, ADistillationWindowThatEndsAtOnceLeavesTheLabels) {
  EXPECT_EQ(BriefWeights("coquant,distill_end=0"), BriefWeights("coquant,loss=labels"));
  EXPECT_EQ(BriefWeights("coquant,swap_begin=0.5,swap_end=0.5"), BriefWeights("coquant,swap=0"));
}

std::vector<int64_t> TeachersOf(PointIndex student, const TeacherCounts& counts, int points) {
  std::vector<int64_t> steps;
  for (PointIndex teacher = 0; teacher < points; ++teacher) steps.push_back(counts.Of(student, teacher));
  return steps;
}

TEST(Teachers, AreCountedForEachStudentAndStep) {
  TrainerOptions options = SmallOptions("coquant,teacher=next");
  options.start_steps = 5;
  options.joint_steps = 12;
  const TeacherCounts next = TrainSmallWithCounts(options, "fp32,w8a8,w4a4,w2a2@3")->teachers;
  EXPECT_EQ(TeachersOf(0, next, 4), (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(TeachersOf(1, next, 4), (std::vector<int64_t>{12, 0, 0, 0}));
  EXPECT_EQ(TeachersOf(2, next, 4), (std::vector<int64_t>{0, 12, 0, 0}));
  EXPECT_EQ(TeachersOf(3, next, 4), (std::vector<int64_t>{0, 0, 4, 0}));
  // Blocks are swapped until the middle.
  options.recipe = *ParseRecipe("coquant,teacher=highest,loss=labels,swap_end=0.5");
  EXPECT_EQ(TeachersOf(1, TrainSmallWithCounts(options)->teachers, 3), (std::vector<int64_t>{6, 0, 0}));
  // Steps 3 to 6 of 12 are within 0.25..0.55.
  options.recipe = *ParseRecipe("coquant,teacher=highest,swap=0,distill_begin=0.25,distill_end=0.55");
  EXPECT_EQ(TeachersOf(1, TrainSmallWithCounts(options)->teachers, 3), (std::vector<int64_t>{4, 0, 0}));
  options.recipe = *ParseRecipe("coquant,swap=0,loss=labels");
  EXPECT_EQ(TeachersOf(1, TrainSmallWithCounts(options)->teachers, 3), (std::vector<int64_t>{0, 0, 0}));
}

TEST(Teachers, OfTheStepsBeforeAnInterruptionCountToo) {
  TrainerOptions options = SmallOptions("coquant,teacher=random");
  options.start_steps = 2;
  options.joint_steps = 20;
  const std::vector<int64_t> whole = TeachersOf(2, TrainSmallWithCounts(options)->teachers, 3);
  options.checkpoint = testing::TempDir() + "/recipe_keys_test_teachers.ckpt";
  std::filesystem::remove(options.checkpoint);
  options.checkpoint_interval = 10;
  TrainSmallAndDie(options, 14);
  options.resume = true;
  EXPECT_EQ(TeachersOf(2, TrainSmallWithCounts(options)->teachers, 3), whole);
  // A checkpoint of a version that did not count them resumes, and counts from there.
  Checkpoint old = *ReadCheckpoint(options.checkpoint);
  ASSERT_EQ(old.tensors.erase("teachers"), 1u);
  ASSERT_TRUE(WriteCheckpoint(old, options.checkpoint).ok());
  EXPECT_EQ(TeachersOf(2, TrainSmallWithCounts(options)->teachers, 3), (std::vector<int64_t>{0, 0, 0}));
}

// All tensors of a training after one joint step of plain SGD.
Checkpoint AfterOneStep(const char* keys) {
  TrainerOptions options = SmallOptions(absl::StrCat("coquant,teacher=none,swap=0,", keys).c_str());
  options.start_steps = 0;
  options.joint_steps = 1;
  options.sgd = true;
  options.momentum = options.weight_decay = 0;
  options.checkpoint = testing::TempDir() + "/recipe_keys_test.ckpt";
  std::filesystem::remove(options.checkpoint);
  EXPECT_TRUE(TrainSmall(options).ok());
  return *ReadCheckpoint(options.checkpoint);
}

double LargestDifference(const Checkpoint::Values& a, const Checkpoint::Values& b) {
  double largest = 0;
  for (size_t i = 0; i < a.values.size(); ++i) largest = std::max(largest, double{std::abs(a.values[i] - b.values[i])});
  return largest;
}

// The penalty on the weights' shape is no gradient of a point and is never divided.
TEST(RecipeKeys, MeanSharedDividesTheGradientsOfSharedParametersAlone) {
  const Checkpoint sum = AfterOneStep("gradients=sum,kure=1"), mean = AfterOneStep("gradients=mean,kure=1"),
                   shared = AfterOneStep("gradients=mean-shared,kure=1");
  int own = 0, moved_otherwise = 0, of_all = 0;
  for (const auto& [name, tensor] : shared.tensors) {
    const bool is_own =
        absl::EndsWith(name, "_gamma") || absl::EndsWith(name, "_beta") || absl::EndsWith(name, "_step");
    const bool is_shared = absl::EndsWith(name, "_weight") || absl::EndsWith(name, "_bias");
    if (is_own) {
      EXPECT_EQ(tensor.values, sum.tensors.at(name).values) << name;
      moved_otherwise += tensor.values != mean.tensors.at(name).values;
      ++own;
    } else if (is_shared) {
      EXPECT_LT(LargestDifference(tensor, mean.tensors.at(name)), 1e-6) << name;
      EXPECT_GT(LargestDifference(tensor, sum.tensors.at(name)), 1e-5) << name;
      ++of_all;
    }
  }
  EXPECT_GT(moved_otherwise, 3 * 2 * 6 - 1);  // some steps move by less than a float can show
  EXPECT_EQ(own, 3 * 2 * 6 + 2 * 6);          // batch norms of three points, steps of two
  EXPECT_EQ(of_all, 7 + 1);                   // six convolutions and the head, its bias
}

}  // namespace
}  // namespace anybit::model::train
