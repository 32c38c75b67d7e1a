// Trainings whose result is the best of several networks.
#include <atomic>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/train/testing/stripes.h"
#include "model/train/testing/training.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {
namespace {

TrainerOptions Options() {
  TrainerOptions options = SmallOptions("coquant,teacher=random,swap=0.5");
  options.start_steps = 6;
  options.joint_steps = 24;
  options.joint_learning_rate = 0.05;
  options.ema = 0.5;
  options.norm_batches = 2;
  options.evaluation_interval = 4;
  options.keep_best = "mean";
  return options;
}

double Sum(const Artifact& artifact) {  // of the accuracies
  double sum = 0;
  for (const ArtifactPoint& point : artifact.points) sum += point.info.accuracy;
  return sum;
}

TrainingResult Best(const TrainerOptions& options) { return *TrainSmallWithCounts(options); }

// The sum of the accuracies that `progress` shows for `step`, %; 0 where it shows none.
double ShownAccuracies(const std::string& progress, int64_t step) {
  const std::string begin = absl::StrCat("step ", step, " held-out ");
  const size_t at = progress.find(begin);
  if (at == std::string::npos) return 0;
  std::istringstream words(progress.substr(at + begin.size(), progress.find('\n', at) - at - begin.size()));
  double sum = 0, accuracy = 0;
  for (std::string name, rest; words >> name >> accuracy >> rest;) sum += accuracy;
  return sum;
}

TEST(TrainKeepingTheBest, GivesTheNetworkWithTheMostCorrectAnswersOfThoseThatItShows) {
  // Rates at which the network learns early, late, and not to the end.
  for (const double rate : {0.05, 1e-3, 1.0}) {
    TrainerOptions options = Options();
    options.joint_learning_rate = rate;
    std::ostringstream progress;
    const TrainingResult best =
        *Train(StripesNetwork(), *ParsePoints(kPoints), Stripes(500, 1), options, progress, /*live=*/false);
    options.keep_best.clear();
    const TrainingResult last = Best(options);
    EXPECT_EQ(last.step, 30);
    double most = 0;
    int64_t expected = 30;
    for (const int64_t step : {8, 12, 16, 20, 24, 28}) {
      const double shown = ShownAccuracies(progress.str(), step);
      EXPECT_GT(shown, 0) << step;
      if (shown > most + 1e-6) most = shown, expected = step;
    }
    if (100 * Sum(last.artifact) > most + 1e-6) most = 100 * Sum(last.artifact), expected = 30;
    EXPECT_EQ(best.step, expected) << progress.str();
    // The accuracies that were shown are those of the result: with averaged weights and estimated batch norm.
    EXPECT_NEAR(100 * Sum(best.artifact), most, 1e-6);
    EXPECT_NE(progress.str().find(absl::StrCat("the result is the network after step ", best.step, " of 30")),
              std::string::npos)
        << progress.str();
  }
}

TEST(TrainKeepingTheBest, TrainsAsItWouldWithout) {
  std::vector<Checkpoint> ends;
  for (const char* keep_best : {"mean", ""}) {
    TrainerOptions options = Options();
    options.keep_best = keep_best;
    options.checkpoint = testing::TempDir() + "/keep_best_test_same.ckpt";
    std::filesystem::remove(options.checkpoint);
    ASSERT_TRUE(TrainSmall(options).ok());
    ends.push_back(*ReadCheckpoint(options.checkpoint));
  }
  for (const auto& [name, tensor] : ends[1].tensors) EXPECT_EQ(ends[0].tensors[name].values, tensor.values) << name;
}

TEST(TrainKeepingTheBest, JudgesByTheNamedPoint) {
  TrainerOptions options = Options();
  const TrainingResult mean = Best(options);
  options.keep_best = "w1a1";
  const TrainingResult named = Best(options);
  EXPECT_GE(named.artifact.points[2].info.accuracy, mean.artifact.points[2].info.accuracy);
}

// Asks for a stop when a number of rows has been read, by training, by the estimation of batch norm or by an
// evaluation.
class StoppingExamples final : public ExampleSet {
 public:
  StoppingExamples(const MemoryExamples& rows, int64_t reads, std::atomic<int>& stop)
      : ExampleSet(rows.shape(), RowCost::kCopy, rows.classes(), Labels(rows), {}),
        rows_(rows),
        left_(reads),
        stop_(stop) {}

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override {
    if (--left_ == 0) stop_ = SIGTERM;
    return rows_.Read(i, row);
  }

 private:
  static std::vector<uint16_t> Labels(const ExampleSet& rows) {
    std::vector<uint16_t> labels;
    for (int64_t i = 0; i < rows.count(); ++i) labels.push_back(static_cast<uint16_t>(rows.label(i)));
    return labels;
  }

  const MemoryExamples& rows_;
  mutable int64_t left_;
  std::atomic<int>& stop_;
};

class TrainStoppedKeepingTheBest : public testing::TestWithParam<int64_t> {};

TEST_P(TrainStoppedKeepingTheBest, ResumesWithTheResultOfAnUninterruptedRun) {
  TrainerOptions options = Options();
  const TrainingResult whole = Best(options);
  options.checkpoint = absl::StrCat(testing::TempDir(), "/keep_best_test_", GetParam(), ".ckpt");
  std::filesystem::remove(options.checkpoint);
  std::atomic<int> stop = 0;
  options.stop = &stop;
  const MemoryExamples rows = Stripes(500, 1);
  std::ostringstream progress;
  const absl::Status stopped = Train(StripesNetwork(), *ParsePoints(kPoints), StoppingExamples(rows, GetParam(), stop),
                                     options, progress, /*live=*/false)
                                   .status();
  ASSERT_EQ(stopped.code(), absl::StatusCode::kCancelled) << stopped;
  stop = 0;
  options.resume = true;
  const TrainingResult resumed = Best(options);
  EXPECT_EQ(resumed.step, whole.step) << stopped;
  EXPECT_EQ(SerializeArtifact(resumed.artifact), SerializeArtifact(whole.artifact)) << stopped;
  options.keep_best = "w1a1";
  EXPECT_NE(TrainSmall(options).status().message().find("is of another run"), std::string::npos);
}

// A training of 30 steps and its 7 evaluations read some 3500 rows, in turn.
INSTANTIATE_TEST_SUITE_P(Reads, TrainStoppedKeepingTheBest, testing::Values(700, 900, 1100, 1700, 3400),
                         testing::PrintToStringParamName());

TEST(TrainKeepingTheBest, RefusesWhatItCannotJudgeBy) {
  const auto error = [](auto change) {
    TrainerOptions options = Options();
    change(options);
    return std::string(TrainSmall(options).status().message());
  };
  EXPECT_EQ(error([](TrainerOptions& o) { o.keep_best = "w2a2"; }),
            "the best network by 'w2a2': accepted are mean, fp32, w4a4f, w1a1");
  EXPECT_EQ(error([](TrainerOptions& o) { o.evaluation_interval = 0; }),
            "keeping the best network needs evaluations in joint training: 24 joint steps, evaluation interval 0");
}

}  // namespace
}  // namespace anybit::model::train
