#include "scheduler/sim/fleet/autoscaler.h"

#include <utility>

#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::seconds;

constexpr double kTarget = 10;
constexpr double kTolerance = 0.1;

int Wanted(const std::vector<std::optional<double>>& values, int starting = 0) {
  return WantedReplicas(values, starting, kTarget, kTolerance);
}

TEST(WantedReplicas, IsTheProductOfReplicasAndMeanOverTargetRoundedUp) {
  EXPECT_EQ(Wanted({20, 20}), 4);
  EXPECT_EQ(Wanted({12, 13}), 3);
  EXPECT_EQ(Wanted({0, 30, 0}), 3);
  EXPECT_EQ(Wanted({1, 2, 3}), 1);
  EXPECT_EQ(Wanted({0, 0}), 0);
}

TEST(WantedReplicas, IsThePresentNumberWithinTheTolerance) {
  EXPECT_EQ(Wanted({10.9, 10.9}), 2);
  EXPECT_EQ(Wanted({9, 9}), 2);
  EXPECT_EQ(Wanted({11.1, 11.1}), 3);
  EXPECT_EQ(Wanted({8.9, 8.9, 8.9, 8.9, 8.9, 8.9, 8.9, 8.9, 8.9, 8.9}), 9);
}

TEST(WantedReplicas, CountsStartingPodsAsIdleSoThatNoneIsAddedTwice) {
  // Two pods at twice the target want four; two more already start.
  EXPECT_EQ(Wanted({20, 20}, 2), 4);
  EXPECT_EQ(Wanted({30, 30}, 2), 6);
  EXPECT_EQ(Wanted({20, 20}, 5), 7);
  // They do not hold up removal.
  EXPECT_EQ(Wanted({2, 2, 2}, 1), 1);
}

TEST(WantedReplicas, TakesPodsWithoutAValueSoThatLessIsChanged) {
  EXPECT_EQ(Wanted({30, std::nullopt}), 3);
  EXPECT_EQ(Wanted({5, 5, std::nullopt, std::nullopt}), 3);
  EXPECT_EQ(Wanted({12, std::nullopt}), 2);
  EXPECT_EQ(Wanted({std::nullopt, std::nullopt}), 2);
  EXPECT_EQ(Wanted({}, 2), 2);
}

// A fleet whose pods all are ready and read the same.
class Fleet {
 public:
  Fleet(AutoscalerOptions options, int replicas) : autoscaler_(std::move(options)), replicas_(replicas) {}

  int After(Duration pause, std::vector<std::optional<double>> values) {
    now_ += pause;
    const std::vector<PodReading> pods(static_cast<size_t>(replicas_), {.ready = true, .values = std::move(values)});
    return replicas_ = autoscaler_.Decide(now_, pods);
  }

 private:
  Autoscaler autoscaler_;
  int replicas_;
  MonoTime now_{};
};

// Without windows and limits of speed.
AutoscalerOptions Quick() {
  return {.targets = {kTarget},
          .min_replicas = 1,
          .max_replicas = 10,
          .down_window = Duration(0),
          .up = {.pods = 100, .period = seconds(1)},
          .down = {.pods = 100, .period = seconds(1)}};
}

TEST(Autoscaler, FollowsTheLargestWishWithinItsLimits) {
  AutoscalerOptions options = Quick();
  options.targets = {kTarget, 1};
  options.min_replicas = 2;
  Fleet fleet(options, 2);
  EXPECT_EQ(fleet.After(seconds(15), {5, 2}), 4);
  EXPECT_EQ(fleet.After(seconds(15), {100, 0}), 10);
  EXPECT_EQ(fleet.After(seconds(15), {0, 0}), 2);
}

TEST(Autoscaler, AddsAtOnceButRemovesOnlyWhatNoRecommendationOfTheWindowWanted) {
  AutoscalerOptions options = Quick();
  options.down_window = seconds(60);
  Fleet fleet(options, 2);
  EXPECT_EQ(fleet.After(seconds(15), {30}), 6);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(fleet.After(seconds(15), {5}), 6) << i;
  EXPECT_EQ(fleet.After(seconds(15), {5}), 3);
}

TEST(Autoscaler, AddsAtMostTheLargerOfItsSpeedsInAPeriod) {
  AutoscalerOptions options = Quick();
  options.up = {.pods = 2, .share = 1, .period = seconds(15)};
  Fleet fleet(options, 1);
  EXPECT_EQ(fleet.After(seconds(15), {1000}), 3);
  EXPECT_EQ(fleet.After(seconds(5), {1000}), 3);
  EXPECT_EQ(fleet.After(seconds(10), {1000}), 6);
  EXPECT_EQ(fleet.After(seconds(15), {1000}), 10);
}

TEST(Autoscaler, RemovesOnePodAMinute) {
  AutoscalerOptions options = Quick();
  options.down = {.pods = 1, .period = seconds(60)};
  Fleet fleet(options, 4);
  EXPECT_EQ(fleet.After(seconds(15), {0}), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fleet.After(seconds(15), {0}), 3) << i;
  EXPECT_EQ(fleet.After(seconds(15), {0}), 2);
}

TEST(Autoscaler, IgnoresTheMetricsOfPodsThatStart) {
  Autoscaler autoscaler(Quick());
  const std::vector<PodReading> pods = {{.ready = true, .values = {5}}, {.ready = false, .values = {1000}}};
  EXPECT_EQ(autoscaler.Decide(MonoTime(seconds(15)), pods), 1);
}

}  // namespace
}  // namespace anybit::scheduler::sim
