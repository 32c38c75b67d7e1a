#include "model/train/processes/launch.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

absl::StatusOr<Launch> Parse(const std::map<std::string, std::string>& variables) {
  return ParseLaunch([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

TEST(ParseLaunch, WithoutALauncherAProcessIsAlone) {
  const Launch launch = *Parse({{"MASTER_PORT", "29500"}});
  EXPECT_TRUE(launch.alone());
  EXPECT_EQ(launch.rank, 0);
}

TEST(ParseLaunch, ReadsWhatKubeflowSets) {
  const Launch launch =
      *Parse({{"RANK", "2"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "job-master-0"}, {"MASTER_PORT", "23456"}});
  EXPECT_EQ(launch.rank, 2);
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.address, "job-master-0");
  EXPECT_EQ(launch.port, 23456);
  EXPECT_FALSE(launch.serves_store);
  EXPECT_TRUE(Parse({{"RANK", "0"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "1"}})->serves_store);
}

TEST(ParseLaunch, UsesTheStoreThatTorchrunServesUnderItsAttempt) {
  const Launch launch = *Parse({{"RANK", "0"},
                                {"WORLD_SIZE", "2"},
                                {"LOCAL_RANK", "1"},
                                {"MASTER_ADDR", "a"},
                                {"MASTER_PORT", "1"},
                                {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                {"TORCHELASTIC_RESTART_COUNT", "3"}});
  EXPECT_FALSE(launch.serves_store);
  EXPECT_EQ(launch.prefix, "/worker/attempt_3");
  EXPECT_EQ(launch.local_rank, 1);
}

TEST(ParseLaunch, NamesTheVariableThatDoesNotFit) {
  const auto error = [](const std::map<std::string, std::string>& variables) {
    return std::string(Parse(variables).status().message());
  };
  EXPECT_EQ(error({{"RANK", "0"}}), "WORLD_SIZE is not set, though other variables are");
  EXPECT_EQ(error({{"WORLD_SIZE", "2"}}), "RANK is not set, though other variables are");
  EXPECT_EQ(error({{"RANK", "2"}, {"WORLD_SIZE", "2"}}), "RANK='2' is not a number of 0..1");
  EXPECT_EQ(error({{"RANK", "0"}, {"WORLD_SIZE", "two"}}), "WORLD_SIZE='two' is not a number of 1..4096");
  EXPECT_EQ(error({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), "MASTER_ADDR is not set, though WORLD_SIZE is");
  EXPECT_EQ(error({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "0"}}),
            "MASTER_PORT='0' is not a number of 1..65535");
}

}  // namespace
}  // namespace anybit::model::train
