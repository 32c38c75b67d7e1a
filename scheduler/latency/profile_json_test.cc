#include "scheduler/latency/profile_json.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using ::testing::HasSubstr;

absl::StatusOr<Profile> Parse(const std::string& text) {
  const absl::StatusOr<Json> root = ParseJsonObject(text);
  if (!root.ok()) return root.status();
  return ProfileFromJsonValue(*root);
}

Profile Sample() {
  return {.points = {{.name = "w8a8", .accuracy = 0.9213}, {.name = "odd \"name\"\n", .accuracy = 1.0 / 3}},
          .max_batch = 3,
          .latency = {{microseconds(850), nanoseconds(1210001), microseconds(5)},
                      {nanoseconds(1), nanoseconds(999), std::chrono::hours(1)}}};
}

TEST(ProfileJsonTest, IsWrittenAsTheFormatSays) {
  const Profile profile = {.points = {{.name = "w8a8", .accuracy = 0.92}, {.name = "a\"b", .accuracy = 0.5}},
                           .max_batch = 2,
                           .latency = {{nanoseconds(850500), microseconds(1210)}, {nanoseconds(1), nanoseconds(1002)}}};
  constexpr char kFirst[] = R"({
  "max_batch": 2,
  "points": [
    {"name": "w8a8", "accuracy": 0.92, "latency_us": [850.500, 1210.000]},
    {"name": "a\"b", "accuracy": 0.5, "latency_us": [0.001, 1.002]}
  ])";
  EXPECT_EQ(WriteProfileJson(profile), std::string(kFirst) + "\n}\n");
  EXPECT_EQ(WriteProfileJson(profile, "\"note\": 1"), std::string(kFirst) + ",\n  \"note\": 1\n}\n");
}

TEST(ProfileJsonTest, AFileIsReadBackToTheNanosecond) {
  const std::string path = ::testing::TempDir() + "/profile_json_test.json";
  ASSERT_TRUE(ReplaceFile(path, WriteProfileJson(Sample(), "\"kernels\": 7")).ok());
  const absl::StatusOr<Profile> profile = ReadProfileJson(path);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->max_batch, 3);
  EXPECT_EQ(profile->latency, Sample().latency);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(profile->points[i].name, Sample().points[i].name);
    EXPECT_EQ(profile->points[i].accuracy, Sample().points[i].accuracy);
  }
}

TEST(ProfileJsonTest, LatenciesAtRestAreReadBackToo) {
  Profile profile = Sample();
  profile.rested = profile.latency;
  for (std::vector<Duration>& of_point : profile.rested) of_point[0] += nanoseconds(7);
  const absl::StatusOr<Profile> read = Parse(WriteProfileJson(profile));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->rested, profile.rested);
  EXPECT_EQ(read->latency, profile.latency);
}

TEST(ProfileJsonTest, LatenciesAtRestAreOfAllPointsAndSizes) {
  const auto error = [](const char* points) {
    return std::string(Parse(std::string(R"({"max_batch": 1, "points": [)") + points + "]}").status().message());
  };
  EXPECT_EQ(error(R"({"name": "a", "accuracy": 0.9, "latency_us": [5], "rested_us": [6]},
                     {"name": "b", "accuracy": 0.9, "latency_us": [5]})"),
            "profile has latencies at rest of 1 operating points but 2 points");
  EXPECT_EQ(error(R"({"name": "a", "accuracy": 0.9, "latency_us": [5], "rested_us": [6, 7]})"),
            "operating point a has 2 latencies at rest, max batch is 1");
  EXPECT_EQ(error(R"({"name": "a", "accuracy": 0.9, "latency_us": [5], "rested_us": 6})"),
            "points[0].rested_us is not a list");
}

TEST(ProfileJsonTest, AnErrorNamesTheFile) {
  const std::string path = ::testing::TempDir() + "/profile_json_test_damaged.json";
  EXPECT_EQ(ReadProfileJson(path + ".absent").status(), absl::NotFoundError("cannot read profile " + path + ".absent"));
  ASSERT_TRUE(ReplaceFile(path, "{}").ok());
  EXPECT_EQ(ReadProfileJson(path).status(),
            absl::InvalidArgumentError("profile " + path + ": max_batch is not a whole number up to 1000000"));
}

TEST(ProfileJsonTest, AHandWrittenProfileIsRead) {
  const auto profile = Parse(
      R"({"note": "by hand", "max_batch": 2,
          "points": [{"name": "w8a8", "accuracy": 0.92, "latency_us": [850.5, 1210]}]})");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->At(ToPointId(0), 1), nanoseconds(850500));
  EXPECT_EQ(profile->At(ToPointId(0), 2), microseconds(1210));
}

TEST(ProfileJsonTest, ARefusalNamesWhatIsWrong) {
  const struct {
    std::string json;
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
    const auto profile = Parse(c.json);
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument) << c.json;
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr(c.message)) << c.json;
  }
}

TEST(ProfileJsonTest, AProfileThatDoesNotAddUpIsRefused) {
  for (const char* json : {
           R"({"max_batch": 1, "points": []})",
           R"({"max_batch": 2, "points": [{"name": "a", "accuracy": 1, "latency_us": [1]}]})",
           R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 2, "latency_us": [1]}]})",
           R"({"max_batch": 0, "points": [{"name": "a", "accuracy": 1, "latency_us": []}]})",
       }) {
    EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kInvalidArgument) << json;
  }
}

}  // namespace
}  // namespace anybit::scheduler
