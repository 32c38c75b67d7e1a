// The trainer on a small network and synthetic images: it learns, resumes exactly, and its result is served exactly.
#include "model/train/trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/engine/packed_network.h"
#include "model/engine/torch_network.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/processes/process_group.h"
#include "model/train/testing/stripes.h"
#include "model/train/testing/training.h"
#include "model/train/trainer/start.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {
namespace {

class TrainWithEveryRecipe : public testing::TestWithParam<const char*> {};

TEST_P(TrainWithEveryRecipe, TrainsEveryPointAsTheEngineServesItToTheLastInteger) {
  const absl::StatusOr<Artifact> artifact = TrainSmall(SmallOptions(GetParam()), kDefaultPoints);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  ASSERT_TRUE(ValidateArtifact(*artifact).ok()) << ValidateArtifact(*artifact);
  const std::vector<double> accuracies = Served(*artifact);
  for (size_t p = 0; p < accuracies.size(); ++p) {
    EXPECT_GT(accuracies[p], 0.75) << artifact->points[p].info.name;
    EXPECT_EQ(artifact->points[p].accuracy_images, 100);
  }
  const auto engine = *PackedNetwork::Create(*artifact, *SupportedKernels().front());
  const auto simulation = *TorchNetwork::Create(*artifact);
  const MemoryExamples images = Stripes(20, 3);
  for (int p = 1; p < static_cast<int>(artifact->points.size()); ++p) {
    const LayerTrace served = *engine->Trace(ToPointId(p), images.rows(0, 20)),
                     trained = *simulation->Trace(ToPointId(p), images.rows(0, 20));
    for (size_t i = 0; i < served.size(); ++i) EXPECT_EQ(served[i].codes, trained[i].codes) << served[i].node;
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, TrainWithEveryRecipe,
                         testing::Values("anybit", "coquant", "coquant,teacher=closest,swap=0.5", "adabits",
                                         "any-precision", "double-rounding", "gdrq",
                                         "coquant,scale_clip=2,kure=0.1,skew=0.1,group=layer"),
                         [](const auto& info) {
                           std::string name;
                           for (char c : std::string(info.param)) name += std::isalnum(c) ? c : '_';
                           return name;
                         });

TEST(Train, LearnsWithSgdToo) {
  TrainerOptions options = SmallOptions();
  options.sgd = true;
  options.learning_rate = 0.05;
  options.weight_decay = 1e-4;
  const std::vector<double> accuracies = Served(*TrainSmall(options));
  for (double accuracy : accuracies) EXPECT_GT(accuracy, 0.75);
}

TEST(Train, GivesTheAverageOfTheWeightsWithADecay) {
  TrainerOptions options = SmallOptions();
  const Artifact last = *TrainSmall(options);
  options.ema = 0.9;
  const Artifact average = *TrainSmall(options);
  EXPECT_NE(average.store[1].full, last.store[1].full);
  for (double accuracy : Served(average)) EXPECT_GT(accuracy, 0.75);
}

TEST(Train, LearnsFromARoundedBackwardPassToo) {
  TrainerOptions options = SmallOptions();
  const Artifact exact = *TrainSmall(options);
  options.bfloat16_backward = true;
  const Artifact rounded = *TrainSmall(options);
  EXPECT_NE(rounded.store[1].full, exact.store[1].full);
  for (double accuracy : Served(rounded)) EXPECT_GT(accuracy, 0.75);
}

class TrainResumed : public testing::TestWithParam<int64_t> {};

TEST_P(TrainResumed, ResumesWithTheResultOfAnUninterruptedRun) {
  // All parts with state or draws: teachers, swaps, averages, learned scales.
  TrainerOptions options = SmallOptions("coquant,teacher=random,weights=learned,swap=0.5");
  options.ema = 0.9;
  options.start_steps = 12;
  options.joint_steps = 18;
  const Artifact whole = *TrainSmall(options);

  options.checkpoint = absl::StrCat(testing::TempDir(), "/trainer_test_", GetParam(), ".ckpt");
  std::filesystem::remove(options.checkpoint);
  options.checkpoint_interval = GetParam();
  TrainSmallAndDie(options, GetParam() + 4);
  ASSERT_TRUE(std::filesystem::exists(options.checkpoint));
  EXPECT_FALSE(std::filesystem::exists(options.checkpoint + ".partial"));

  options.resume = true;
  EXPECT_EQ(SerializeArtifact(*TrainSmall(options)), SerializeArtifact(whole));
  // A finished run gives the same result again.
  EXPECT_EQ(SerializeArtifact(*TrainSmall(options)), SerializeArtifact(whole));
}

// In the start, at its very end, and in joint training.
INSTANTIATE_TEST_SUITE_P(Stops, TrainResumed, testing::Values(6, 12, 18), testing::PrintToStringParamName());

TEST(Train, DoesNotGoOnFromAnotherRunsCheckpoint) {
  TrainerOptions options = SmallOptions();
  options.start_steps = options.joint_steps = 2;
  options.checkpoint = testing::TempDir() + "/trainer_test_other.ckpt";
  std::filesystem::remove(options.checkpoint);
  ASSERT_TRUE(TrainSmall(options).ok());
  options.resume = true;
  ASSERT_TRUE(TrainSmall(options).ok());
  const auto refused = [](const TrainerOptions& other) {
    const absl::Status status = TrainSmall(other).status();
    return absl::IsInvalidArgument(status) && status.message().find("is of another run") != std::string::npos;
  };
  TrainerOptions other = options;
  other.recipe = *ParseRecipe("coquant,swap=0.4");
  EXPECT_TRUE(refused(other));
  other = options;
  other.bfloat16_backward = true;
  EXPECT_TRUE(refused(other));
  other = options;
  TrainerOptions elsewhere = SmallOptions();
  elsewhere.start_steps = elsewhere.joint_steps = 1;
  const Artifact start = *TrainSmall(elsewhere);
  other.start = &start;
  EXPECT_TRUE(refused(other));
  // The same number of images of other classes.
  std::ostringstream progress;
  EXPECT_EQ(Train(StripesNetwork(), *ParsePoints(kPoints), Stripes(500, 2), options, progress, false).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Train, GoesOnFromTheFloatWeightsOfAnArtifact) {
  TrainerOptions options = SmallOptions();
  options.start_steps = 60;
  options.joint_steps = 0;
  const Artifact start = *TrainSmall(options, "fp32");
  const double reached = Served(start)[0];
  ASSERT_GT(reached, 0.9);

  // One step that moves almost nothing: the result is the start with its batch norm recovered.
  options = SmallOptions();
  options.start_steps = 0;
  options.joint_steps = 1;
  options.learning_rate = 1e-9;
  options.start = &start;
  EXPECT_NEAR(Served(*TrainSmall(options, "fp32"))[0], reached, 0.05);
  const Artifact artifact = *TrainSmall(options, "w8a8");
  EXPECT_NEAR(Served(artifact)[0], reached, 0.1);
}

TEST(Train, GoesOnFromTheFloatWeightsOfACheckpoint) {
  TrainerOptions options = SmallOptions();
  options.joint_steps = 2;
  options.checkpoint = testing::TempDir() + "/trainer_test_start.ckpt";
  std::filesystem::remove(options.checkpoint);
  const Artifact trained = *TrainSmall(options);
  const absl::StatusOr<Artifact> start = FullPrecisionOf(options.checkpoint, StripesNetwork());
  ASSERT_TRUE(start.ok()) << start.status();
  EXPECT_EQ(start->points.size(), 1u);
  EXPECT_EQ(start->store[1].full, trained.store[1].full);
  options.resume = false;
  options.checkpoint = "";
  options.start = &*start;
  EXPECT_TRUE(TrainSmall(options).ok());
}

TEST(Train, StopsWhereItDivergesAndKeepsTheLastGoodCheckpoint) {
  TrainerOptions options = SmallOptions();
  options.checkpoint = testing::TempDir() + "/diverged.checkpoint";
  std::filesystem::remove(options.checkpoint);
  options.checkpoint_interval = 1;
  options.sgd = true;
  options.learning_rate = 100;
  const absl::Status status = TrainSmall(options).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kAborted) << status;
  EXPECT_NE(status.message().find("the training has diverged: after step "), std::string::npos) << status;
  EXPECT_TRUE(FullPrecisionOf(options.checkpoint, StripesNetwork()).ok());
}

// AdamW's first step moves every weight by the learning rate, whatever its gradient; later ones do not.
TEST(Train, RemembersNoGradientOfTheStartInItsJointPhase) {
  TrainerOptions options = SmallOptions();
  options.weight_decay = 0;
  options.joint_steps = 0;
  const std::vector<float> start = TrainSmall(options, "fp32")->store[2].full;
  options.joint_steps = 1;
  const std::vector<float> moved = TrainSmall(options, "fp32")->store[2].full;
  std::vector<double> moves;
  for (size_t i = 0; i < start.size(); ++i) moves.push_back(std::abs(moved[i] - start[i]));
  std::sort(moves.begin(), moves.end());
  EXPECT_GT(moves.front(), 0.98 * moves.back());
  EXPECT_GT(moves.front(), 0.5 * options.learning_rate);
}

// No learning rate makes an activation step negative; it could not become positive again.
TEST(Train, KeepsActivationStepsAboveZero) {
  TrainerOptions options = SmallOptions("coquant,step_rate=10");
  options.start_steps = 0;
  for (const bool sgd : {false, true}) {
    options.sgd = sgd;
    options.learning_rate = sgd ? 0.05 : 0.02;
    const Artifact artifact = *TrainSmall(options, "w8a8,w4a4f,w1a1");
    ASSERT_TRUE(ValidateArtifact(artifact).ok());
    for (double accuracy : Served(artifact)) EXPECT_GT(accuracy, 0.5) << (sgd ? "SGD" : "AdamW");
  }
}

TEST(Train, LeavesBatchNormAsTheRunHadItWhereNoBatchesReestimateIt) {
  TrainerOptions options = SmallOptions();
  options.checkpoint = testing::TempDir() + "/norms.checkpoint";
  std::filesystem::remove(options.checkpoint);
  options.norm_batches = 0;
  const Artifact kept = *TrainSmall(options);
  const Artifact of_run = *FullPrecisionOf(options.checkpoint, StripesNetwork());
  EXPECT_EQ(kept.points[0].layers[1].bias, of_run.points[0].layers[1].bias);
  options.checkpoint = "";
  options.norm_batches = 5;
  const Artifact reestimated = *TrainSmall(options);
  EXPECT_EQ(kept.store[1].full, reestimated.store[1].full);
  EXPECT_NE(kept.points[0].layers[1].bias, reestimated.points[0].layers[1].bias);
}

// One of two processes, of which the other contributes nothing: sums are those of this process.
class HalfAGroup : public ProcessGroup {
 public:
  explicit HalfAGroup(int rank) : rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return 2; }
  absl::Status Sum(absl::Span<const torch::Tensor>) override {
    ++sums_;
    return summed_.ok() ? reduced_ : summed_;
  }
  absl::Status Average(absl::Span<const torch::Tensor> tensors) override {
    most_tensors_ = std::max(most_tensors_, tensors.size());
    return reduced_;
  }
  absl::Status Broadcast(absl::Span<const torch::Tensor>, int) override { return absl::OkStatus(); }
  absl::Status Barrier() override { return absl::OkStatus(); }

  void Lose() { reduced_ = absl::UnavailableError("the others are gone"); }
  void LoseInSums() { summed_ = absl::UnavailableError("no sum"); }
  size_t most_tensors() const { return most_tensors_; }
  int sums() const { return sums_; }

 private:
  const int rank_;
  absl::Status reduced_, summed_;
  size_t most_tensors_ = 0;
  int sums_ = 0;
};

TEST(Train, LetsProcessesSeeTheirSharesOfOneBatchAndAveragesEveryGradient) {
  TrainerOptions options = SmallOptions();
  options.start_steps = options.joint_steps = 5;
  options.batch = 16;
  HalfAGroup first(0), second(1);
  options.group = &first;
  const Artifact of_first = *TrainSmall(options);
  // Weights of 6 convolutions and the head, its bias, batch norms of three points and steps of two.
  EXPECT_EQ(first.most_tensors(), 7u + 1 + 3 * 2 * 6 + 2 * 6);
  options.group = &second;
  EXPECT_NE(SerializeArtifact(*TrainSmall(options)), SerializeArtifact(of_first));
  for (const bool sync_norm : {true, false}) {
    options.sync_norm = sync_norm;
    second.Lose();
    EXPECT_EQ(TrainSmall(options).status(), absl::UnavailableError("the others are gone")) << sync_norm;
  }
}

TEST(Train, EstimatesBatchNormFromTheImagesOfAllProcesses) {
  TrainerOptions options = SmallOptions();
  options.start_steps = options.joint_steps = 5;
  options.batch = 16;
  options.sync_norm = false;  // in training
  HalfAGroup group(0);
  options.group = &group;
  ASSERT_TRUE(TrainSmall(options).ok());
  EXPECT_EQ(group.sums(), 3 * 6);  // points, convolutions
  group.LoseInSums();
  EXPECT_EQ(TrainSmall(options).status(), absl::UnavailableError("no sum"));
}

// The mean loss of point `lowest` over all processes is lower than that of this process.
class OthersPrefer : public HalfAGroup {
 public:
  OthersPrefer(int lowest, int points) : HalfAGroup(0), lowest_(lowest), points_(points) {}

  absl::Status Average(absl::Span<const torch::Tensor> tensors) override {
    if (tensors.size() == 1 && tensors[0].numel() == 1) {
      if (losses_++ % points_ == lowest_) tensors[0].sub_(100);
    }
    return HalfAGroup::Average(tensors);
  }

 private:
  const int lowest_, points_;
  int losses_ = 0;
};

TEST(Train, ChoosesATeacherByItsLossOverAllProcesses) {
  TrainerOptions options = SmallOptions();
  options.start_steps = 0;
  options.joint_steps = 5;
  options.batch = 16;
  const int points = static_cast<int>(ParsePoints(kPoints)->size());
  ASSERT_EQ(points, 3);  // the third one chooses between two
  OthersPrefer first(0, points), second(1, points);
  options.group = &first;
  const Artifact taught_by_first = *TrainSmall(options);
  options.group = &second;
  EXPECT_NE(SerializeArtifact(*TrainSmall(options)), SerializeArtifact(taught_by_first));
}

TEST(Train, MixesRowsAndTheirLabelsUnderMixup) {
  TrainerOptions options = SmallOptions();
  options.augmentation.mixup = 0.2;
  const Artifact mixed = *TrainSmall(options);
  EXPECT_NE(mixed.store[1].full, TrainSmall(SmallOptions())->store[1].full);
  for (double accuracy : Served(mixed)) EXPECT_GT(accuracy, 0.7);
}

TEST(Train, ShowsHeldOutAccuraciesOnTheWayWithoutDisturbingTheRun) {
  TrainerOptions options = SmallOptions();
  options.joint_steps = 10;
  const std::string quiet = SerializeArtifact(*TrainSmall(options));
  options.evaluation_interval = 15;
  std::ostringstream progress;
  const TrainingResult watched =
      *Train(StripesNetwork(), *ParsePoints(kPoints), Stripes(500, 1), options, progress, false);
  EXPECT_NE(progress.str().find("step 15 held-out fp32 "), std::string::npos) << progress.str();
  EXPECT_EQ(SerializeArtifact(watched.artifact), quiet);
}

TEST(Train, RefusesOptionsThatDoNotFit) {
  const auto error = [](auto change) {
    TrainerOptions options = SmallOptions();
    change(options);
    return std::string(TrainSmall(options).status().message());
  };
  EXPECT_EQ(error([](TrainerOptions& o) { o.batch = 401; }),
            "batch of 401 and 100 held-out images do not fit 500 images");
  EXPECT_EQ(error([](TrainerOptions& o) { o.start_steps = -1; }), "start steps -1 is outside 0..1e+12");
  EXPECT_EQ(error([](TrainerOptions& o) { o.start_steps = o.joint_steps = 0; }), "0 + 0 steps are no training");
  EXPECT_EQ(error([](TrainerOptions& o) { o.joint_steps = 0; }),
            "point 'w4a4f' runs every 1 joint steps, but there are 0");
  EXPECT_EQ(error([](TrainerOptions& o) { o.batch = 1; }), "batch 1 is outside 2..1e+06");
  EXPECT_EQ(error([](TrainerOptions& o) { o.resume = true; }), "resume without a checkpoint");
  EXPECT_EQ(error([](TrainerOptions& o) { o.recipe = *ParseRecipe("coquant,logits=frozen"), o.start_steps = 0; }),
            "logits=frozen learns from the start, but there are 0 start steps and no start");
  EXPECT_EQ(error([](TrainerOptions& o) { o.device = "tpu"; }), "device 'tpu' is not cpu or cuda");
  EXPECT_EQ(error([](TrainerOptions& o) { o.learning_rate = NAN; }), "learning rate nan is outside 1e-09..100");
  EXPECT_EQ(error([](TrainerOptions& o) { o.norm_batches = -1; }), "norm batches -1 is outside 0..1e+09");
  EXPECT_EQ(error([](TrainerOptions& o) { o.weight_decay = -1; }), "weight decay -1 is outside 0..10");
  EXPECT_EQ(error([](TrainerOptions& o) { o.ema = 1; }), "ema 1 is outside 0..0.999999");
  EXPECT_EQ(error([](TrainerOptions& o) { o.ema = 0.9, o.norm_batches = 0; }),
            "averaged weights (ema) need norm batches, or their batch norm is another's");
  TrainerOptions brief = SmallOptions();
  brief.start_steps = brief.joint_steps = 1;
  const Artifact nested = *TrainSmall(brief, "w8a8");
  EXPECT_EQ(error([&](TrainerOptions& o) { o.start = &nested; }),
            "the artifact to start from has no full-precision point");
  std::ostringstream progress;
  EXPECT_EQ(Train(FashionNetwork(8), *ParsePoints("w8a8"), Stripes(500, 1), SmallOptions(), progress, false)
                .status()
                .message(),
            "rows of 16x16x1 for a network of 32x32x1");
}

}  // namespace
}  // namespace anybit::model::train
