#include "model/train/trainer/training_passes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/data/example_set.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {
namespace {

// A network of three points and the passes of its first joint step, in which every block of a student is swapped.
class TrainingPassesTest : public testing::Test {
 protected:
  static constexpr int64_t kRows = 16;

  static TrainerOptions Options(const std::string& keys) {
    return {.recipe = *ParseRecipe(absl::StrCat("coquant,teacher=next,swap=1,swap_shape=constant", keys)),
            .start_steps = 0,
            .joint_steps = 10,
            .batch = kRows};
  }

  std::vector<PointPass> Run(const TrainerOptions& options) {
    network_ = TrainableNetwork(StripesNetwork(), points_, options.recipe, /*seed=*/1);
    TrainingPasses passes(network_, /*frozen=*/nullptr, options);
    const MemoryExamples examples = Stripes(kRows, 1);
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < kRows; ++i) labels.push_back(examples.label(i));
    const auto rows = examples.rows(0, kRows);
    batch_ = {.images = torch::tensor(std::vector<uint8_t>(rows.begin(), rows.end())).reshape({kRows, 16, 16, 1}),
              .labels = torch::tensor(labels)};
    return passes.Run(/*step=*/0, std::vector<PointIndex>{0, 1, 2}, batch_);
  }

  torch::Tensor LogitsWithoutSwaps(PointIndex point) {
    torch::NoGradGuard no_gradient;
    return network_->Forward(point, batch_.images, /*momentum=*/0);
  }

  const std::vector<PointRecipe> points_ = *ParsePoints("fp32,w4a4,w2a2");
  TrainableNetwork network_ = nullptr;
  TensorBatch batch_;
};

TEST_F(TrainingPassesTest, TeachTheLogitsOfTheSwappedPass) {
  const std::vector<PointPass> passes = Run(Options(""));
  EXPECT_TRUE(passes[0].logits.equal(LogitsWithoutSwaps(0)));
  EXPECT_FALSE(passes[1].logits.equal(LogitsWithoutSwaps(1)));
  EXPECT_TRUE(passes[1].label_loss.equal(passes[1].routed_loss));
}

TEST_F(TrainingPassesTest, TeachTheLogitsOfTheNetworkThatDonatesBlocksIfTheyArePure) {
  const std::vector<PointPass> routed = Run(Options("")), pure = Run(Options(",logits=pure"));
  EXPECT_TRUE(pure[1].logits.equal(LogitsWithoutSwaps(1)));
  EXPECT_TRUE(pure[1].routed_loss.equal(routed[1].routed_loss));
  EXPECT_FALSE(pure[1].label_loss.equal(pure[1].routed_loss));
  // The last point teaches none, so that it needs no other pass.
  EXPECT_TRUE(pure[2].label_loss.equal(pure[2].routed_loss));
}

}  // namespace
}  // namespace anybit::model::train
