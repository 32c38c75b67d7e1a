#include "model/train/trainer/training_log.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.h"

namespace anybit::model::train {
namespace {

TrainerOptions Options() { return {.start_steps = 4, .joint_steps = 6, .batch = 128, .step_log_interval = 2}; }

std::vector<Json> Lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(*ParseJson(line));
  return lines;
}

TEST(TrainingLog, LogsEveryNthStepWithItsPace) {
  TrainerOptions options = Options();
  options.step_log = testing::TempDir() + "/training_log_test.jsonl";
  TrainingLog log = *TrainingLog::Create(options, /*done=*/0);
  EXPECT_FALSE(log.IsDue(3));
  ASSERT_TRUE(log.IsDue(4));
  ASSERT_TRUE(log.Write({.step = 4}).ok());
  const Json line = Lines(options.step_log).at(0);
  EXPECT_GT(line["images_per_second"], 0);
  EXPECT_GT(line["seconds_left"], 0);
  TrainingLog resumed = *TrainingLog::Create(options, /*done=*/4);
  ASSERT_TRUE(resumed.Write({.step = 6}).ok());
  EXPECT_EQ(Lines(options.step_log).size(), 2u);
}

TEST(TrainingLog, WritesOneEventFilePerStart) {
  TrainerOptions options = Options();
  options.tensorboard = testing::TempDir() + "/training_log_test";
  std::filesystem::remove_all(options.tensorboard);
  TrainingLog log = *TrainingLog::Create(options, /*done=*/0);
  ASSERT_TRUE(log.IsDue(4));
  EXPECT_TRUE(log.Write({.step = 4}).ok());
  EXPECT_TRUE(log.WriteAccuracies(4, Artifact()).ok());
  ASSERT_TRUE(TrainingLog::Create(options, /*done=*/4).ok());
  const auto files = std::filesystem::directory_iterator(options.tensorboard);
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST(TrainingLog, IsNeverDueWithoutAPathAndNamesAFolderThatCannotBeMade) {
  TrainingLog none = *TrainingLog::Create(Options(), 0);
  EXPECT_FALSE(none.IsDue(2));
  EXPECT_TRUE(none.WriteAccuracies(2, Artifact()).ok());
  TrainerOptions options = Options();
  options.tensorboard = "/dev/null/run";
  EXPECT_EQ(TrainingLog::Create(options, 0).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace anybit::model::train
