#include "scheduler/policies/registry.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/testing/snapshot.h"

namespace anybit::scheduler {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using testing::ThreePoints;

TEST(RegistryTest, MakesEveryPolicyItNames) {
  const Profile profile = ThreePoints();
  const std::vector<std::string> names = PolicyNames(profile.points);
  EXPECT_THAT(names,
              IsSupersetOf({"slackfit", "fixed:hi", "fixed:mid", "fixed:lo", "cheapest", "max-batch", "max-accuracy",
                            "slackfit-literal", "aimd", "early-drop", "deferred", "accuracy-scaling"}));
  for (const std::string& name : names) {
    const auto policy = MakePolicy(name, profile);
    ASSERT_TRUE(policy.ok()) << name;
    EXPECT_EQ((*policy)->name(), name);
  }
}

TEST(RegistryTest, MakesPoliciesWithArgumentsAndNamesThemSo) {
  for (const char* name : {"slackfit:1", "slackfit:4096", "slackfit-literal:3", "aimd:mid", "early-drop:lo",
                           "deferred:hi", "anybit:horizon=1", "anybit:trial_divisor=8"}) {
    const auto policy = MakePolicy(name, ThreePoints());
    ASSERT_TRUE(policy.ok()) << name;
    EXPECT_EQ((*policy)->name(), name);
  }
}

TEST(RegistryTest, AnArgumentThatIsTheDefaultIsLeftOutOfTheName) {
  EXPECT_EQ((*MakePolicy("slackfit:3", ThreePoints()))->name(), "slackfit");
  EXPECT_EQ((*MakePolicy("slackfit-literal:64", ThreePoints()))->name(), "slackfit-literal");
}

TEST(RegistryTest, RefusesOtherNamesAndListsItsOwn) {
  for (const char* name : {"",
                           "fixed",
                           "fixed:",
                           "fixed:w9a9",
                           "SlackFit",
                           "slackfit ",
                           "slackfit:",
                           "slackfit:0",
                           "slackfit:4097",
                           "slackfit:-1",
                           "slackfit: 3",
                           "slackfit:99999999999",
                           "slackfit-literal:mid",
                           "aimd:",
                           "early-drop:3",
                           "cheapest:lo",
                           "accuracy-scaling:",
                           "anybit:",
                           "anybit:horizon",
                           "anybit:horizon=",
                           "anybit:horizon=-1",
                           "anybit:horizon=nan",
                           "anybit:later_share=1.1",
                           "anybit:depth=2"}) {
    const auto policy = MakePolicy(name, ThreePoints());
    EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(policy.status().message());
    EXPECT_THAT(message, HasSubstr("slackfit, fixed:hi, fixed:mid, fixed:lo"));
    EXPECT_THAT(message, HasSubstr("slackfit:<1..4096 buckets>"));
    EXPECT_THAT(message, HasSubstr("early-drop:<point>"));
    EXPECT_THAT(message, HasSubstr("anybit:<constant>=<value>"));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace anybit::scheduler
