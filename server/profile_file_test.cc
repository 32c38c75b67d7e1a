#include "server/profile_file.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using ::testing::HasSubstr;

Profile Sample() {
  return {.points = {{.name = "w8a8", .accuracy = 0.9213}, {.name = "odd \"name\"\n", .accuracy = 1.0 / 3}},
          .max_batch = 3,
          .latency = {{microseconds(850), nanoseconds(1210001), microseconds(5)},
                      {nanoseconds(1), nanoseconds(999), std::chrono::hours(1)}}};
}

TEST(ProfileFileTest, WhatWasWrittenIsReadBackToTheNanosecond) {
  const std::string path = ::testing::TempDir() + "/profile.json";
  ASSERT_TRUE(WriteProfile(Sample(), path).ok());
  const auto profile = ReadProfile(path);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->max_batch, 3);
  EXPECT_EQ(profile->latency, Sample().latency);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(profile->points[i].name, Sample().points[i].name);
    EXPECT_EQ(profile->points[i].accuracy, Sample().points[i].accuracy);
  }
}

TEST(ProfileFileTest, AHandWrittenProfileIsRead) {
  const auto profile = ProfileFromJson(
      R"({"note": "by hand", "max_batch": 2,
          "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210]}]})");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->At(ToPointId(0), 1), nanoseconds(850500));
  EXPECT_EQ(profile->At(ToPointId(0), 2), microseconds(1210));
}

TEST(ProfileFileTest, ARefusalNamesWhatIsWrong) {
  const struct {
    const char* json;
    const char* message;
  } cases[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
      {"{}", "max_batch"},
      {R"({"max_batch": "2", "points": []})", "max_batch"},
      {R"({"max_batch": 1.5, "points": []})", "max_batch"},
      {R"({"max_batch": 1e300, "points": []})", "max_batch"},
      {R"({"max_batch": 1, "points": {}})", "points is not a list"},
      {R"({"max_batch": 1, "points": [7]})", "points[0].name"},
      {R"({"max_batch": 1, "points": [{"name": 7}]})", "points[0].name"},
      {R"({"max_batch": 1, "points": [{"name": "a"}]})", "points[0].accuracy"},
      {R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1}]})", "points[0].latency_us"},
      {R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1, "latency_us": ["x"]}]})", "points[0].latency_us[0]"},
      {R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1, "latency_us": [0]}]})", "points[0].latency_us[0]"},
      {R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1, "latency_us": [-1]}]})", "points[0].latency_us[0]"},
      {R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1, "latency_us": [1e30]}]})", "latency_us[0]"},
  };
  for (const auto& c : cases) {
    const auto profile = ProfileFromJson(c.json);
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument) << c.json;
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr(c.message)) << c.json;
  }
}

TEST(ProfileFileTest, AProfileThatDoesNotAddUpIsRefused) {
  for (const char* json : {
           R"({"max_batch": 1, "points": []})",
           R"({"max_batch": 2, "points": [{"name": "a", "accuracy": 1, "latency_us": [1]}]})",
           R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 2, "latency_us": [1]}]})",
           R"({"max_batch": 0, "points": [{"name": "a", "accuracy": 1, "latency_us": []}]})",
       }) {
    EXPECT_EQ(ProfileFromJson(json).status().code(), absl::StatusCode::kInvalidArgument) << json;
  }
}

TEST(ProfileFileTest, APathThatCannotBeReadOrWrittenIsNamed) {
  const std::string path = ::testing::TempDir() + "/no/such/folder/profile.json";
  EXPECT_EQ(ReadProfile(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadProfile(path).status().message()), HasSubstr(path));
  EXPECT_EQ(WriteProfile(Sample(), path).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace anybit
