#include "scheduler/policies/registry.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit {
namespace {

using ::testing::HasSubstr;
using testing::ThreePoints;

TEST(RegistryTest, MakesEveryPolicyItNames) {
  const Profile profile = ThreePoints();
  const std::vector<std::string> names = PolicyNames(profile.points);
  EXPECT_EQ(names, (std::vector<std::string>{"slackfit", "fixed:hi", "fixed:mid", "fixed:lo"}));
  for (const std::string& name : names) {
    const auto policy = MakePolicy(name, profile);
    ASSERT_TRUE(policy.ok()) << name;
    EXPECT_EQ((*policy)->name(), name);
  }
}

TEST(RegistryTest, RefusesOtherNamesAndListsItsOwn) {
  for (const char* name : {"", "fixed", "fixed:", "fixed:w9a9", "SlackFit", "slackfit "}) {
    const auto policy = MakePolicy(name, ThreePoints());
    EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr("slackfit, fixed:hi, fixed:mid, fixed:lo"));
  }
}

}  // namespace
}  // namespace anybit
