#include "server/live_accuracy/idle_network.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <new>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using testing::SumNetwork;

absl::StatusOr<int> RunAndWait(IdleNetwork& idle, const std::string& input) {
  absl::StatusOr<int> result;
  absl::Notification done;
  idle.Run(input, [&](absl::StatusOr<int> predicted) {
    result = std::move(predicted);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

TEST(IdleNetworkTest, PredictsTheClassOfARowAtItsPoint) {
  std::atomic<int> point = -1;
  const SumNetwork network([&](int p, int rows) {
    point = p;
    EXPECT_EQ(rows, 1);
    return absl::OkStatus();
  });
  IdleNetwork idle(network, ToPointId(SumNetwork::kW8a8));
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\1')).value(), 2);
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\2')).value(), 2);
  EXPECT_EQ(point, SumNetwork::kW8a8);
}

TEST(IdleNetworkTest, WorksOnlyWhileProcessorsAreIdle) {
  std::atomic<int> policy = -1;
  const SumNetwork network([&](int, int) {
    policy = sched_getscheduler(0);
    return absl::OkStatus();
  });
  IdleNetwork idle(network, ToPointId(0));
  ASSERT_TRUE(RunAndWait(idle, std::string(4, '\1')).ok());
  EXPECT_EQ(policy, SCHED_IDLE);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

TEST(IdleNetworkTest, ARunThatFailsTellsWhy) {
  const SumNetwork network([](int, int) { return absl::InternalError("broken"); });
  IdleNetwork idle(network, ToPointId(0));
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\1')).status().message(), "broken");
  EXPECT_FALSE(RunAndWait(idle, "").ok());
}

TEST(IdleNetworkTest, APointThatIsNotPreparedDoesNotRun) {
  struct Unprepared final : SumNetwork {
    bool IsPrepared(PointId) const override { return false; }
  };
  const Unprepared network;
  IdleNetwork idle(network, ToPointId(0));
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\1')).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(IdleNetworkTest, AResultIsToldAgainUntilThereIsMemoryForIt) {
  const SumNetwork network;
  IdleNetwork idle(network, ToPointId(0), Duration::zero());
  absl::StatusOr<int> result;
  int told = 0;
  absl::Notification done;
  idle.Run(std::string(4, '\1'), [&](absl::StatusOr<int> predicted) {
    if (++told < 3) throw std::bad_alloc();
    result = std::move(predicted);
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_EQ(result.value(), 2);
  EXPECT_EQ(told, 3);
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\1')).value(), 2) << "further rows run";
}

TEST(IdleNetworkTest, ARunThatMemoryIsMissingForTellsSo) {
  const SumNetwork network([](int, int) -> absl::Status { throw std::bad_alloc(); });
  IdleNetwork idle(network, ToPointId(0));
  EXPECT_EQ(RunAndWait(idle, std::string(4, '\1')).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(IdleNetworkTest, EndsWithAResultThatThereIsNoMemoryFor) {
  const SumNetwork network;
  absl::Notification told;
  IdleNetwork idle(network, ToPointId(0), std::chrono::hours(1));
  idle.Run(std::string(4, '\1'), [&](absl::StatusOr<int>) {
    told.Notify();
    throw std::bad_alloc();
  });
  told.WaitForNotification();
}

TEST(IdleNetworkTest, EndsWithoutARow) {
  const SumNetwork network;
  IdleNetwork idle(network, ToPointId(0));
}

}  // namespace
}  // namespace anybit::server
