#include "server/request_memory.h"

#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"

namespace anybit::server {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

TEST(RequestMemoryTest, SharesUpToTheLimitAreGivenAndNoneBeyondIt) {
  RequestMemory memory(100);
  RequestMemory::Share first(memory), second(memory);
  EXPECT_TRUE(first.Resize(60));
  EXPECT_FALSE(second.Resize(41));
  EXPECT_EQ(memory.held_bytes(), 60);
  EXPECT_TRUE(second.Resize(40));
  EXPECT_EQ(memory.held_bytes(), 100);
}

TEST(RequestMemoryTest, AShareThatCannotGrowKeepsWhatItHas) {
  RequestMemory memory(100);
  RequestMemory::Share share(memory);
  ASSERT_TRUE(share.Resize(30));
  EXPECT_FALSE(share.Resize(101));
  EXPECT_EQ(share.bytes(), 30);
  EXPECT_EQ(memory.held_bytes(), 30);
}

TEST(RequestMemoryTest, WhatAShareGivesBackIsThereForOthers) {
  RequestMemory memory(100);
  {
    RequestMemory::Share share(memory);
    ASSERT_TRUE(share.Resize(100));
    ASSERT_TRUE(share.Resize(10));
    EXPECT_EQ(memory.held_bytes(), 10);
  }
  EXPECT_EQ(memory.held_bytes(), 0);
}

TEST(RequestMemoryTest, ASizeThatWouldOverflowIsRefused) {
  RequestMemory memory(100);
  RequestMemory::Share one(memory), other(memory);
  ASSERT_TRUE(one.Resize(1));
  EXPECT_FALSE(other.Resize(INT64_MAX));
}

TEST(RequestMemoryTest, SharesOfManyThreadsNeverExceedTheLimitAndAllComeBack) {
  RequestMemory memory(1000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&memory] {
      for (int round = 0; round < 20000; ++round) {
        RequestMemory::Share share(memory);
        (void)share.Resize(400);
        EXPECT_LE(memory.held_bytes(), 1000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memory.held_bytes(), 0);
}

TEST(RequestMemoryTest, AfterAFloodTheHeapIsTrimmedOnce) {
  int trims = 0;
  absl::Notification trimmed;
  {
    RequestMemory memory(100 * kMegabyte, [&] {
      ++trims;
      trimmed.Notify();  // a second time would end the program
    });
    std::vector<std::unique_ptr<RequestMemory::Share>> flood;
    for (int i = 0; i < 50; ++i) {
      flood.push_back(std::make_unique<RequestMemory::Share>(memory));
      ASSERT_TRUE(flood.back()->Resize(kMegabyte));
    }
    flood.clear();
    trimmed.WaitForNotification();
  }
  EXPECT_EQ(trims, 1);
}

TEST(RequestMemoryTest, WhatIsSmallIsNotTrimmed) {
  int trims = 0;
  {
    RequestMemory memory(100 * kMegabyte, [&] { ++trims; });
    RequestMemory::Share share(memory);
    ASSERT_TRUE(share.Resize(kMegabyte));
    ASSERT_TRUE(share.Resize(0));
  }
  EXPECT_EQ(trims, 0);
}

}  // namespace
}  // namespace anybit::server
