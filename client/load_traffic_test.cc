#include "client/load_traffic.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string FileWith(const std::string& text) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/times";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::vector<nanoseconds> InstantsOf(const std::vector<LoadStep>& steps, const Traffic& traffic) {
  const absl::StatusOr<std::vector<PlannedCall>> plan = PlanLoad(steps, traffic, 1, 1);
  EXPECT_TRUE(plan.ok()) << plan.status();
  std::vector<nanoseconds> instants;
  for (const PlannedCall& call : plan.value_or(std::vector<PlannedCall>())) instants.push_back(call.at);
  return instants;
}

TEST(LoadTraffic, ReplaysAFileOnceAsItWasRecorded) {
  const LoadOptions options{.arrival_times = FileWith("1000\n1010\n1030\n")};
  const absl::StatusOr<Traffic> traffic = MakeTraffic(options, {});
  ASSERT_TRUE(traffic.ok()) << traffic.status();
  const absl::StatusOr<std::vector<LoadStep>> steps = MakeSteps(options, *traffic, 0);
  ASSERT_TRUE(steps.ok()) << steps.status();
  ASSERT_EQ(steps->size(), 1u);
  EXPECT_EQ(steps->front().duration, milliseconds(45));
  EXPECT_THAT(InstantsOf(*steps, *traffic), ElementsAre(milliseconds(0), milliseconds(10), milliseconds(30)));
}

TEST(LoadTraffic, ReplaysAFileAsAWholeInEachStepAtItsRate) {
  const LoadOptions options{.steps = "1x,10", .arrival_times = FileWith("0\n50\n200\n")};
  const absl::StatusOr<Traffic> traffic = MakeTraffic(options, {});
  ASSERT_TRUE(traffic.ok()) << traffic.status();
  const absl::StatusOr<std::vector<LoadStep>> steps = MakeSteps(options, *traffic, 20);
  ASSERT_TRUE(steps.ok()) << steps.status();
  ASSERT_EQ(steps->size(), 2u);
  EXPECT_EQ(steps->at(0).duration, milliseconds(150));
  EXPECT_EQ(steps->at(1).duration, milliseconds(300));
  EXPECT_THAT(InstantsOf(*steps, *traffic), ElementsAre(milliseconds(0), milliseconds(25), milliseconds(100),
                                                        milliseconds(150), milliseconds(200), milliseconds(350)));
}

TEST(LoadTraffic, TakesTheShortestDeadlineAsTheWorkloadsUnitUnlessOneIsGiven) {
  const std::vector<nanoseconds> deadlines = {milliseconds(0), milliseconds(300), milliseconds(20)};
  EXPECT_EQ(MakeTraffic({}, deadlines)->time_unit, milliseconds(20));
  EXPECT_EQ(MakeTraffic({}, std::vector<nanoseconds>(1, nanoseconds(0)))->time_unit, milliseconds(50));
  EXPECT_EQ(MakeTraffic({.time_unit = seconds(1)}, deadlines)->time_unit, seconds(1));
}

TEST(LoadTraffic, RefusesAReplayThatHasNoCallsOrNoPace) {
  EXPECT_THAT(MakeTraffic({.arrival_times = FileWith("\n")}, {}).status().message(), HasSubstr("no arrival to replay"));
  EXPECT_EQ(MakeTraffic({.arrival_times = "/nowhere/times"}, {}).status().code(), absl::StatusCode::kNotFound);
  const LoadOptions at_once{.arrival_times = FileWith("5\n5\n")};
  EXPECT_THAT(MakeSteps(at_once, *MakeTraffic(at_once, {}), 0).status().message(),
              HasSubstr("all 2 calls of the replay come at one instant"));
}

}  // namespace
}  // namespace anybit::client
