#include "scheduler/queue/waiting_requests.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

MonoTime At(int64_t ns) { return MonoTime(Duration(ns)); }

// Requests 1, 2, 3, ... that must run by 10, 20, 30, ... ns.
WaitingRequests Three() {
  WaitingRequests waiting(PointSet::First(1));
  for (int i = 1; i <= 3; ++i) {
    waiting.Insert({.request = {.id = static_cast<RequestId>(i), .run_by = At(10 * i), .allowed = PointSet::First(1)}});
  }
  return waiting;
}

std::vector<int> Ids(const std::vector<WaitingRequest>& taken) {
  std::vector<int> ids;
  for (const WaitingRequest& waiting : taken) ids.push_back(static_cast<int>(waiting.request.id));
  return ids;
}

TEST(WaitingRequestsTest, TakesARequestOnce) {
  WaitingRequests waiting = Three();
  EXPECT_TRUE(waiting.Take(static_cast<RequestId>(2)).has_value());
  EXPECT_FALSE(waiting.Take(static_cast<RequestId>(2)).has_value());
  EXPECT_EQ(waiting.queue().rows(), 2);
}

TEST(WaitingRequestsTest, TakesPositionsInTheOrderNamed) {
  WaitingRequests waiting = Three();
  EXPECT_EQ(Ids(waiting.TakeAt(std::vector{2, 0})), (std::vector{3, 1}));
  ASSERT_EQ(waiting.queue().waiting().size(), 1u);
  EXPECT_EQ(waiting.queue().waiting().front().id, static_cast<RequestId>(2));
  EXPECT_FALSE(waiting.Take(static_cast<RequestId>(3)).has_value());
}

TEST(WaitingRequestsTest, ARequestExpiresAtTheInstantItMustRunBy) {
  WaitingRequests waiting = Three();
  EXPECT_EQ(Ids(waiting.TakeExpired(At(9))), std::vector<int>());
  EXPECT_EQ(Ids(waiting.TakeExpired(At(20))), (std::vector{1, 2}));
  EXPECT_EQ(waiting.queue().rows(), 1);
}

}  // namespace
}  // namespace anybit::scheduler
