#include "scheduler/latency/profile.h"

#include <chrono>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

using std::chrono::microseconds;
using ::testing::HasSubstr;

Profile TwoPoints() {
  return Profile{.points = {{.name = "w8a8", .accuracy = 0.9}, {.name = "w4a4", .accuracy = 0.8}},
                 .max_batch = 2,
                 .latency = {{microseconds(20), microseconds(30)}, {microseconds(10), microseconds(8)}}};
}

void ExpectRefused(const Profile& profile, const char* text) {
  const absl::Status status = ValidateProfile(profile);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(ProfileTest, AcceptsAProfileWhereALargerBatchIsFaster) {
  EXPECT_TRUE(ValidateProfile(TwoPoints()).ok());
  EXPECT_EQ(TwoPoints().At(ToPointId(1), 2), microseconds(8));
}

TEST(ProfileTest, RefusesNoPointsAndTooManyPoints) {
  Profile profile = TwoPoints();
  profile.points.clear();
  ExpectRefused(profile, "0 operating points");
  for (int i = 0; i < kMaxPoints + 1; ++i) profile.points.push_back({.name = std::to_string(i), .accuracy = 0.5});
  ExpectRefused(profile, "65 operating points");
}

TEST(ProfileTest, RefusesNamesThatAreEmptyOrNotUnique) {
  Profile profile = TwoPoints();
  profile.points[1].name = "w8a8";
  ExpectRefused(profile, "w8a8 twice");
  profile.points[1].name = "";
  ExpectRefused(profile, "without a name");
}

TEST(ProfileTest, RefusesAccuraciesOutsideZeroToOne) {
  Profile profile = TwoPoints();
  profile.points[0].accuracy = 91;
  ExpectRefused(profile, "accuracy 91");
  profile.points[0].accuracy = -0.1;
  ExpectRefused(profile, "accuracy -0.1");
  profile.points[0].accuracy = std::numeric_limits<double>::quiet_NaN();
  ExpectRefused(profile, "accuracy nan");
}

TEST(ProfileTest, RefusesMissingAndNonPositiveLatencies) {
  Profile profile = TwoPoints();
  profile.latency[1].pop_back();
  ExpectRefused(profile, "w4a4 has 1 latencies, max batch is 2");
  profile = TwoPoints();
  profile.latency.pop_back();
  ExpectRefused(profile, "1 operating points but 2 points");
  profile = TwoPoints();
  profile.latency[1][0] = Duration::zero();
  ExpectRefused(profile, "w4a4 at 1 rows is 0 ns");
  profile = TwoPoints();
  profile.max_batch = 0;
  ExpectRefused(profile, "max batch 0");
}

}  // namespace
}  // namespace anybit::scheduler
