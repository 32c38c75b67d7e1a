#include "server/profile_file.h"

#include <chrono>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using ::testing::HasSubstr;

scheduler::Profile SampleLatencies() {
  return {.points = {{.name = "w8a8", .accuracy = 0.9213}, {.name = "odd \"name\"\n", .accuracy = 1.0 / 3}},
          .max_batch = 3,
          .latency = {{microseconds(850), nanoseconds(1210001), microseconds(5)},
                      {nanoseconds(1), nanoseconds(999), std::chrono::hours(1)}}};
}

MeasuredProfile Sample() { return {.latencies = SampleLatencies(), .kernels = std::nullopt}; }

// The members before "kernels".
std::string WithKernels(const std::string& kernels) {
  return R"({"max_batch": 1, "points": [{"name": "a", "accuracy": 1, "latency_us": [1]}], "kernels": )" + kernels + "}";
}

TEST(ProfileFileTest, WhatWasWrittenIsReadBackToTheNanosecond) {
  const std::string path = ::testing::TempDir() + "/profile.json";
  ASSERT_TRUE(WriteProfile(Sample(), path).ok());
  const auto profile = ReadProfile(path);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_FALSE(profile->kernels.has_value());
  EXPECT_EQ(profile->latencies.max_batch, 3);
  EXPECT_EQ(profile->latencies.latency, SampleLatencies().latency);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(profile->latencies.points[i].name, SampleLatencies().points[i].name);
    EXPECT_EQ(profile->latencies.points[i].accuracy, SampleLatencies().points[i].accuracy);
  }
}

TEST(ProfileFileTest, KernelChoicesAreReadBackAsTheyWere) {
  MeasuredProfile written = Sample();
  written.kernels = {.isa = "avx2",
                     .layers = {{.point = "w8a8", .node = "odd \"node\"", .algorithms = {"a", "b", "c", "d", "e"}},
                                {.point = "w1a1", .node = "stem", .algorithms = {"f", "f", "f", "f", "g"}}}};
  auto profile = ProfileFromJson(ProfileToJson(written));
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->kernels, written.kernels);

  written.kernels->layers.clear();
  profile = ProfileFromJson(ProfileToJson(written));
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->kernels, written.kernels);
}

TEST(ProfileFileTest, AFingerprintIsReadBackAsItWas) {
  MeasuredProfile written = Sample();
  written.fingerprint = {.network = "odd \"name\" version 1, checksum 0a1b2c3d",
                         .isa = "",
                         .processor = "Some Processor @ 3 GHz",
                         .threads_per_slot = 8};
  const auto profile = ProfileFromJson(ProfileToJson(written));
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->fingerprint, written.fingerprint);
}

TEST(ProfileFileTest, FingerprintsDifferWhereBothAreKnownAndOtherwiseNot) {
  const ProfileFingerprint here = {.network = "a", .isa = "avx2", .processor = "p", .threads_per_slot = 1};
  EXPECT_EQ(NetworkDifference(here, here), "");
  EXPECT_EQ(MachineDifference(here, here), "");
  EXPECT_EQ(NetworkDifference({.network = ""}, here), "");
  EXPECT_THAT(NetworkDifference({.network = "b"}, here), HasSubstr("'b', this is 'a'"));
  EXPECT_EQ(MachineDifference({.threads_per_slot = 1}, here), "");
  EXPECT_THAT(MachineDifference({.isa = "avx512", .threads_per_slot = 1}, here), HasSubstr("avx512, these are avx2"));
  EXPECT_THAT(MachineDifference({.threads_per_slot = 2}, here), HasSubstr("2 threads per slot, here are 1"));
}

TEST(ProfileFileTest, AFileIsReplacedAsAWholeOrNotAtAll) {
  const std::string path = ::testing::TempDir() + "/replaced.json";
  ASSERT_TRUE(WriteProfile(Sample(), path).ok());
  MeasuredProfile other = Sample();
  other.latencies.points[0].name = "w4a4";
  ASSERT_TRUE(WriteProfile(other, path).ok());
  EXPECT_EQ(ReadProfile(path)->latencies.points[0].name, "w4a4");
  const absl::Status status = WriteProfile(other, "/nonexistent/profile.json");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("profile: cannot write '/nonexistent/profile.json': No such file"));
}

TEST(ProfileFileTest, ARefusalNamesWhatIsWrong) {
  const struct {
    std::string json;
    const char* message;
  } cases[] = {
      {"[]", "not a JSON object"},
      {R"({"max_batch": 1, "points": [7]})", "points[0].name"},
      {WithKernels("7"), "kernels.isa is not a string"},
      {WithKernels(R"({"isa": "avx2"})"), "kernels.layers is not a list"},
      {WithKernels(R"({"isa": "avx2", "layers": [7]})"), "kernels.layers[0].point is not a string"},
      {WithKernels(R"({"isa": "avx2", "layers": [{"point": "a"}]})"), "kernels.layers[0].node is not a string"},
      {WithKernels(R"({"isa": "avx2", "layers": [{"point": "a", "node": "b"}]})"), "algorithms is not a list of 5"},
      {WithKernels(R"({"isa": "avx2", "layers": [{"point": "a", "node": "b", "algorithms": ["c"]}]})"), "a list of 5"},
      {WithKernels(R"({"isa": "i", "layers": [{"point": "a", "node": "b", "algorithms": ["c", "c", 7, "c", "c"]}]})"),
       "kernels.layers[0].algorithms[2] is not a string"},
  };
  for (const auto& c : cases) {
    const auto profile = ProfileFromJson(c.json);
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument) << c.json;
    EXPECT_THAT(std::string(profile.status().message()), HasSubstr(c.message)) << c.json;
  }
}

TEST(ProfileFileTest, APathThatCannotBeReadOrWrittenIsNamed) {
  const std::string path = ::testing::TempDir() + "/no/such/folder/profile.json";
  EXPECT_EQ(ReadProfile(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadProfile(path).status().message()), HasSubstr(path));
  EXPECT_EQ(WriteProfile(Sample(), path).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace anybit::server
