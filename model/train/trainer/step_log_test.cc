#include "model/train/trainer/step_log.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "base/json.h"

namespace anybit::model::train {
namespace {

std::string Text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(StepLine, HasTheStateOfEveryPoint) {
  const StepRecord record{.step = 12,
                          .joint = true,
                          .learning_rate = 0.004,
                          .points = {{.point = "fp32", .loss = 0.5, .gradient_norm = 2},
                                     {.point = "w4a4",
                                      .loss = 0.75,
                                      .teacher = "fp32",
                                      .gradient_norm = 1.5,
                                      .saturated = 0.25,
                                      .activation_steps = {{"stem", 0.125}}}}};
  EXPECT_EQ(StepLine(record, {.images_per_second = 3200, .seconds_left = 42}),
            R"({"step":12,"phase":"joint","learning_rate":0.004,"images_per_second":3200,"seconds_left":42,"points":{)"
            R"("fp32":{"loss":0.5,"gradient_norm":2},)"
            R"("w4a4":{"loss":0.75,"teacher":"fp32","gradient_norm":1.5,"saturated":0.25,)"
            R"("activation_steps":{"stem":0.125}}}})");
}

TEST(StepLog, GoesOnWhereItWasResumedAndStartsAnewOtherwise) {
  const std::string path = testing::TempDir() + "/step_log_test.jsonl";
  StepLog log(path, /*appends=*/false);
  ASSERT_TRUE(log.Write({.step = 4}, {}).ok());
  const Json line = *ParseJson(Text(path));
  EXPECT_EQ(line["step"], 4);
  EXPECT_EQ(line["phase"], "start");
  StepLog resumed(path, /*appends=*/true);
  ASSERT_TRUE(resumed.Write({.step = 6}, {}).ok());
  const std::string both = Text(path);
  EXPECT_EQ(std::count(both.begin(), both.end(), '\n'), 2);
  StepLog again(path, /*appends=*/false);
  EXPECT_EQ(Text(path), "");
}

TEST(StepLog, NamesAFileThatCannotBeWritten) {
  StepLog nowhere(testing::TempDir() + "/no_such_folder/log.jsonl", /*appends=*/false);
  const absl::Status status = nowhere.Write({.step = 1}, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("no_such_folder/log.jsonl"), std::string::npos) << status;
}

}  // namespace
}  // namespace anybit::model::train
