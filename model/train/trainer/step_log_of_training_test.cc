// The log of a training's steps: complete, and without effect on the result.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/train/testing/training.h"

namespace anybit::model::train {
namespace {

std::vector<Json> Lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(*ParseJson(line));
  return lines;
}

TEST(StepLogOfATraining, HasEveryPointOfEveryLoggedStepAndDoesNotDisturbTheRun) {
  TrainerOptions options = SmallOptions("coquant,teacher=next,logits=pure");
  options.start_steps = 4;
  options.joint_steps = 6;
  const std::string unwatched = SerializeArtifact(*TrainSmall(options, "fp32,w4a4,w2a2"));
  options.step_log = testing::TempDir() + "/step_log_of_training_test.jsonl";
  options.tensorboard = testing::TempDir() + "/step_log_of_training_test";
  std::filesystem::remove_all(options.tensorboard);
  options.step_log_interval = 2;
  EXPECT_EQ(SerializeArtifact(*TrainSmall(options, "fp32,w4a4,w2a2")), unwatched);
  EXPECT_FALSE(std::filesystem::is_empty(options.tensorboard));
  const std::vector<Json> lines = Lines(options.step_log);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1]["step"], 4);
  EXPECT_EQ(lines[1]["phase"], "start");
  EXPECT_EQ(lines[1]["points"].size(), 1u);
  const Json& last = lines[4];
  EXPECT_EQ(last["step"], 10);
  EXPECT_EQ(last["phase"], "joint");
  EXPECT_EQ(last["seconds_left"], 0);
  const Json& points = last["points"];
  ASSERT_EQ(points.size(), 3u);
  EXPECT_FALSE(points["fp32"].contains("teacher"));
  EXPECT_FALSE(points["fp32"].contains("saturated"));
  EXPECT_EQ(points["w4a4"]["teacher"], "fp32");
  EXPECT_EQ(points["w2a2"]["teacher"], "w4a4");
  for (const auto& [name, point] : points.items()) {
    EXPECT_GT(point["loss"], 0) << name;
    EXPECT_GT(point["gradient_norm"], 0) << name;
  }
  // Two bits cover less of the range than four.
  EXPECT_GT(points["w2a2"]["saturated"], points["w4a4"]["saturated"]);
  EXPECT_LT(points["w2a2"]["saturated"], 0.5);
  ASSERT_EQ(points["w2a2"]["activation_steps"].size(), 6u);
  for (const auto& [layer, step] : points["w2a2"]["activation_steps"].items()) EXPECT_GT(step, 0) << layer;
}

}  // namespace
}  // namespace anybit::model::train
