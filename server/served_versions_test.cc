#include "server/served_versions.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "scheduler/scheduler.h"
#include "scheduler/testing/expecting_rig.h"
#include "server/testing/idle_version.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using testing::IdleVersion;

SharedVersion Version(int64_t number) { return std::make_shared<IdleVersion>(number); }

class ScheduledVersion : public IdleVersion {
 public:
  explicit ScheduledVersion(int64_t number) : IdleVersion(number) {}
  scheduler::Scheduler& scheduler() override { return rig_.scheduler(); }
  double ExpectedArrivals() { return rig_.ExpectedArrivals(); }

 private:
  scheduler::testing::ExpectingRig rig_;
};

class ServedVersionsTest : public ::testing::Test {
 protected:
  // The number of the version that a request gets; 0: it is refused, and `refusal_` says why.
  int64_t Choose(const std::string& version, const std::string& id = "", const std::string& model = "sums") {
    const absl::StatusOr<SharedVersion> chosen = versions_.Choose(model, version, id);
    refusal_ = chosen.status();
    return chosen.ok() ? (*chosen)->model().network.version : 0;
  }

  int CanariesOf(int requests) {
    int canaries = 0;
    for (int i = 0; i < requests; ++i) canaries += Choose("") == 8;
    return canaries;
  }

  ServedVersions versions_{"sums"};
  absl::Status refusal_;
};

TEST_F(ServedVersionsTest, TheOnlyVersionIsForAllRequestsOfItsModel) {
  (void)versions_.Set({.stable = Version(7)});
  EXPECT_EQ(Choose(""), 7);
  EXPECT_EQ(Choose("7"), 7);
  EXPECT_EQ(Choose("stable"), 7);
  EXPECT_EQ(Choose("8"), 0);
  EXPECT_EQ(refusal_, absl::NotFoundError("Request for unknown model: 'sums' version 8 is not found, served: 7"));
  EXPECT_EQ(Choose("canary"), 0);
  EXPECT_TRUE(absl::IsNotFound(refusal_));
}

TEST_F(ServedVersionsTest, AModelOfAnotherNameIsNotFound) {
  (void)versions_.Set({.stable = Version(7)});
  for (const std::string& name : {std::string(), std::string("other"), std::string("../sums"),
                                  std::string("sums\0x", 6), std::string(65536, 'a')}) {
    EXPECT_EQ(Choose("", "", name), 0);
    EXPECT_TRUE(absl::IsNotFound(refusal_));
    EXPECT_THAT(std::string(refusal_.message()), HasSubstr("is not found"));
    EXPECT_LT(refusal_.message().size(), 2000u);
  }
}

TEST_F(ServedVersionsTest, AVersionIsANumberOrALabel) {
  (void)versions_.Set({.stable = Version(7)});
  EXPECT_EQ(Choose("9223372036854775807"), 0);
  EXPECT_TRUE(absl::IsNotFound(refusal_));
  for (const char* version : {"1e9", "-1", " 7", "7 ", "+7", "0", "18446744073709551616", "latest", "0x7", "Stable"}) {
    EXPECT_EQ(Choose(version), 0);
    EXPECT_TRUE(absl::IsInvalidArgument(refusal_)) << version;
    EXPECT_THAT(std::string(refusal_.message()),
                HasSubstr("failed to get model version from specified version string"));
  }
}

TEST_F(ServedVersionsTest, WithoutVersionsTheModelIsNotFoundAndSaysSo) {
  for (const char* version : {"", "7", "stable"}) {
    EXPECT_EQ(Choose(version), 0);
    EXPECT_EQ(refusal_, absl::NotFoundError("Request for unknown model: 'sums' has no available versions"));
  }
}

TEST_F(ServedVersionsTest, RequestsWithoutVersionAndIdKeepTheShareExactly) {
  (void)versions_.Set({.stable = Version(7), .canary = Version(8), .canary_share_bp = 2500});
  EXPECT_EQ(CanariesOf(1000), 250);
  (void)versions_.Set({.stable = Version(7), .canary = Version(8), .canary_share_bp = 1});
  EXPECT_EQ(CanariesOf(10000), 1);
  (void)versions_.Set({.stable = Version(7), .canary = Version(8), .canary_share_bp = 10000});
  EXPECT_EQ(CanariesOf(10), 10);
}

TEST_F(ServedVersionsTest, ARequestIdAlwaysGetsTheSameVersionAndIdsKeepTheShareNearly) {
  (void)versions_.Set({.stable = Version(7), .canary = Version(8), .canary_share_bp = 1000});
  int canaries = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string id = absl::StrCat("request ", i);
    const int64_t first = Choose("", id);
    EXPECT_EQ(Choose("", id), first);
    canaries += first == 8;
  }
  // The ids are fixed, so this number is; 1000 are expected with a deviation of 30.
  EXPECT_NEAR(canaries, 1000, 90);
}

TEST_F(ServedVersionsTest, ANamedVersionIsNotShared) {
  (void)versions_.Set({.stable = Version(7), .canary = Version(8), .canary_share_bp = 5000});
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Choose("7"), 7);
    EXPECT_EQ(Choose("8"), 8);
    EXPECT_EQ(Choose("stable"), 7);
    EXPECT_EQ(Choose("canary"), 8);
    EXPECT_EQ((*versions_.Find("sums", ""))->model().network.version, 7) << "a description is of the stable one";
  }
}

TEST(SameContractTest, ANetworkThatClientsWouldHaveToKnowOfIsRefusedWithBothValues) {
  const model::NetworkDescription served = testing::Model().network;
  model::NetworkDescription other = served;
  other.version = 8;
  other.labels.clear();
  other.points.pop_back();
  EXPECT_TRUE(SameContract(served, other).ok());
  other.input.shape = {4, 4, 1};
  EXPECT_EQ(SameContract(served, other),
            absl::InvalidArgumentError(
                "the input is image [4,4,1], that of the served network is image [2,2,1]; start another server"));
  other.input = served.input;
  other.output.name = "scores";
  EXPECT_TRUE(absl::IsInvalidArgument(SameContract(served, other)));
  other.output = served.output;
  other.floats = model::FloatInput{.channels_first = true, .scale = 1, .mean = {0.5}, .deviation = {0.25}};
  EXPECT_EQ(
      SameContract(served, other),
      absl::InvalidArgumentError("the float input is NCHW, scale 1, mean 0.5, std 0.25, that of the served network "
                                 "is none; start another server"));
  model::NetworkDescription shifted = other;
  EXPECT_TRUE(SameContract(other, shifted).ok());
  shifted.floats->mean = {0.25};
  EXPECT_TRUE(absl::IsInvalidArgument(SameContract(other, shifted))) << "the same floats would be other pixels";
  other.floats.reset();
  other.name = "products";
  EXPECT_TRUE(absl::IsInvalidArgument(SameContract(served, other)));
}

TEST_F(ServedVersionsTest, CallsThatWereRefusedUnreadAreExpectedAgainByEachVersionsShare) {
  versions_.CallRefused();  // nothing is served, and nobody expects it
  const auto stable = std::make_shared<ScheduledVersion>(7), canary = std::make_shared<ScheduledVersion>(8);
  (void)versions_.Set({.stable = stable, .canary = canary, .canary_share_bp = 2500});
  for (int i = 0; i < 400; ++i) versions_.CallRefused();
  const double of_stable = stable->ExpectedArrivals(), of_canary = canary->ExpectedArrivals();
  EXPECT_GT(of_canary, 20);
  EXPECT_NEAR(of_stable / of_canary, 3, 0.1);
}

TEST_F(ServedVersionsTest, TheOnlyVersionExpectsAllCallsThatWereRefusedUnread) {
  const auto busy = std::make_shared<ScheduledVersion>(7), calm = std::make_shared<ScheduledVersion>(7);
  (void)versions_.Set({.stable = busy});
  for (int i = 0; i < 400; ++i) versions_.CallRefused();
  EXPECT_GT(busy->ExpectedArrivals(), 10 * calm->ExpectedArrivals());
}

}  // namespace
}  // namespace anybit::server
