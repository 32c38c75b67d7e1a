#include "model/train/trainer/run_identity.h"

#include <functional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

TrainerOptions Options() { return {.recipe = *ParseRecipe("coquant"), .held_out = 10}; }

std::string Identity(const TrainerOptions& options, const char* points = "fp32,w4a4f", uint64_t images = 1) {
  return RunIdentity(StripesNetwork(), *ParsePoints(points), Stripes(50, images), options);
}

TEST(RunIdentity, IsTheSameForTheSameRun) { EXPECT_EQ(Identity(Options()), Identity(Options())); }

TEST(RunIdentity, DiffersWithEachOptionThatDecidesTheResult) {
  const std::function<void(TrainerOptions&)> changes[] = {
      [](TrainerOptions& o) { o.recipe = *ParseRecipe("coquant,swap=0.4"); },
      [](TrainerOptions& o) { ++o.start_steps; },
      [](TrainerOptions& o) { ++o.joint_steps; },
      [](TrainerOptions& o) { ++o.first_batch; },
      [](TrainerOptions& o) { ++o.batch; },
      [](TrainerOptions& o) { o.sgd = true; },
      [](TrainerOptions& o) { o.sgd = true, o.momentum = 0.5; },
      [](TrainerOptions& o) { o.bfloat16_backward = true; },
      [](TrainerOptions& o) { o.learning_rate *= 2; },
      [](TrainerOptions& o) { o.joint_learning_rate = 0.5; },
      [](TrainerOptions& o) { o.weight_decay *= 2; },
      [](TrainerOptions& o) { o.label_smoothing = 0.1; },
      [](TrainerOptions& o) { o.ema = 0.9; },
      [](TrainerOptions& o) { o.augmentation.mirror = false; },
      [](TrainerOptions& o) { ++o.held_out; },
      [](TrainerOptions& o) { ++o.seed; },
      [](TrainerOptions& o) { o.keep_best = "mean", o.evaluation_interval = 5; },
      [](TrainerOptions& o) { o.keep_best = "fp32", o.evaluation_interval = 5; },
      [](TrainerOptions& o) { o.keep_best = "mean", o.evaluation_interval = 6; },
      [](TrainerOptions& o) { o.keep_best = "mean", o.evaluation_interval = 5, ++o.norm_batches; },
      [](TrainerOptions& o) { o.augmentation.randaugment = {.operations = 2, .magnitude = 9}; },
      [](TrainerOptions& o) { o.augmentation.cutmix = 1; },
  };
  std::set<std::string> identities = {Identity(Options())};
  for (const auto& change : changes) {
    TrainerOptions options = Options();
    change(options);
    EXPECT_TRUE(identities.insert(Identity(options)).second) << Identity(options);
  }
  EXPECT_TRUE(identities.insert(Identity(Options(), "fp32,w4a4")).second) << "other code ranges";
  EXPECT_TRUE(identities.insert(Identity(Options(), "fp32,w4a4f@2")).second) << "another interval";
  EXPECT_TRUE(identities.insert(Identity(Options(), "fp32,w4a4f", 2)).second) << "images of other classes";
}

TEST(RunIdentity, IsTheSameWhereOnlySpeedOrOutputDiffers) {
  TrainerOptions options = Options();
  options.threads = 3;
  options.checkpoint = options.step_log = options.tensorboard = "elsewhere";
  options.checkpoint_interval = options.progress_interval = options.evaluation_interval = 7;
  options.resume = true;
  EXPECT_EQ(Identity(options), Identity(Options()));
}

}  // namespace
}  // namespace anybit::model::train
