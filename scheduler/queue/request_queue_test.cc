#include "scheduler/queue/request_queue.h"

#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace anybit::scheduler {
namespace {

PendingRequest Request(int deadline, uint64_t id, int rows = 1) {
  return {.id = static_cast<RequestId>(id), .run_by = MonoTime(Duration(deadline)), .rows = rows};
}

std::vector<uint64_t> Ids(const RequestQueue& queue) {
  std::vector<uint64_t> ids;
  for (const PendingRequest& request : queue.waiting()) ids.push_back(static_cast<uint64_t>(request.id));
  return ids;
}

using IdList = std::vector<uint64_t>;

TEST(RequestQueueTest, OrdersByDeadlineAndThenById) {
  RequestQueue queue(PointSet::First(3));
  queue.Insert(Request(20, 1));
  queue.Insert(Request(10, 3));
  queue.Insert(Request(10, 2));
  queue.Insert({.id = static_cast<RequestId>(4), .run_by = kNever});
  EXPECT_EQ(Ids(queue), (IdList{2, 3, 1, 4}));
}

TEST(RequestQueueTest, RemovesByDeadlineAndId) {
  RequestQueue queue(PointSet::First(3));
  for (uint64_t id = 1; id <= 4; ++id) queue.Insert(Request(10, id));
  EXPECT_TRUE(queue.Remove(MonoTime(Duration(10)), static_cast<RequestId>(3)));
  EXPECT_FALSE(queue.Remove(MonoTime(Duration(10)), static_cast<RequestId>(3)));
  EXPECT_FALSE(queue.Remove(MonoTime(Duration(11)), static_cast<RequestId>(4)));
  EXPECT_EQ(Ids(queue), (IdList{1, 2, 4}));
}

TEST(RequestQueueTest, RemovesPositionsInAnyOrder) {
  RequestQueue queue(PointSet::First(3));
  for (uint64_t id = 0; id < 8; ++id) queue.Insert(Request(10, id));
  queue.RemoveAt({6, 0, 3, 1});
  EXPECT_EQ(Ids(queue), (IdList{2, 4, 5, 7}));
}

TEST(RequestQueueTest, CountsRequestsOfSeveralRowsOrThatDoNotAcceptAllPoints) {
  const PointSet all = PointSet::First(3);
  RequestQueue queue(all);
  const auto insert = [&](uint64_t id, PointSet allowed, int rows) {
    queue.Insert(
        {.id = static_cast<RequestId>(id), .run_by = MonoTime(Duration(id)), .allowed = allowed, .rows = rows});
  };
  for (uint64_t id = 1; id <= 5; ++id) insert(id, all, 1);
  EXPECT_EQ(queue.special(), 0);
  insert(6, all, 2);
  insert(7, PointSet::First(2), 1);
  insert(8, PointSet::First(2), 3);
  EXPECT_EQ(queue.special(), 3);
  queue.RemoveAt({5, 0});
  EXPECT_EQ(queue.special(), 2);
  EXPECT_TRUE(queue.Remove(MonoTime(Duration(7)), static_cast<RequestId>(7)));
  EXPECT_TRUE(queue.Remove(MonoTime(Duration(8)), static_cast<RequestId>(8)));
  EXPECT_EQ(queue.special(), 0);
}

TEST(RequestQueueTest, StaysEqualToASortedSetThroughRandomUse) {
  std::mt19937_64 random(7);
  RequestQueue queue(PointSet::First(3));
  std::set<std::tuple<int, uint64_t, int>> model;  // deadline, id, rows
  for (uint64_t id = 1; id <= 5000; ++id) {
    const int deadline = static_cast<int>(id / 4 + random() % 100);
    const int rows = static_cast<int>(1 + random() % 4);
    queue.Insert(Request(deadline, id, rows));
    model.emplace(deadline, id, rows);
    if (random() % 8 == 0) {
      std::vector<int> positions;
      for (int i = 0; i < static_cast<int>(model.size()) && i < 24; ++i) {
        if (random() % 2 == 0) positions.push_back(i);
      }
      for (auto p = positions.rbegin(); p != positions.rend(); ++p) model.erase(std::next(model.begin(), *p));
      queue.RemoveAt(positions);
    }
    if (id % 50 != 0) continue;
    IdList expected;
    int expected_rows = 0;
    for (const auto& [d, i, r] : model) {
      expected.push_back(i);
      expected_rows += r;
    }
    ASSERT_EQ(Ids(queue), expected);
    ASSERT_EQ(queue.rows(), expected_rows);
    ASSERT_EQ(queue.empty(), model.empty());
  }
}

}  // namespace
}  // namespace anybit::scheduler
