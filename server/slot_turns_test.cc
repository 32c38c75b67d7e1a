#include "server/slot_turns.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "server/measure_in_turn.h"
#include "server/testing/manual_clock.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using std::chrono::milliseconds;
using testing::ManualClock;
using testing::SumNetwork;

TEST(SlotTurnsTest, OneAtATimeHasTheTurnOfASlot) {
  SlotTurns turns(1);
  std::atomic<int> inside = 0, most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const SlotTurns::Turn turn(&turns.of(0));
        most = std::max<int>(most, ++inside);
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

TEST(SlotTurnsTest, SlotsDoNotWaitForEachOther) {
  SlotTurns turns(2);
  const SlotTurns::Turn first(&turns.of(0));
  const SlotTurns::Turn second(&turns.of(1));
}

TEST(SlotTurnsTest, WhoHasHadATurnComesAfterWhoWaits) {
  SlotTurns turns(1);
  std::vector<int> order;
  turns.of(0).Take();
  std::thread waiting([&] {
    const SlotTurns::Turn turn(&turns.of(0));
    order.push_back(1);
  });
  while (turns.of(0).waiting() == 0) std::this_thread::yield();
  turns.of(0).GiveBack();
  {
    const SlotTurns::Turn turn(&turns.of(0));
    order.push_back(2);
  }
  waiting.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(MeasureInTurnTest, TheClockStandsWhileARunWaitsForItsTurn) {
  SlotTurns turns(1);
  ManualClock time;
  SumNetwork network([&](int, int) {
    time.Advance(milliseconds(3));
    return absl::OkStatus();
  });
  NetworkInTurn in_turn(network, turns.of(0), time);
  const ClockInTurn clock(time, in_turn);
  turns.of(0).Take();
  const MonoTime start = clock.Now();
  std::thread run([&] {
    const std::vector<uint8_t> input(4);
    std::vector<float> output(3);
    const auto scratch = in_turn.MakeScratch(1);
    EXPECT_TRUE(in_turn.Run(ToPointId(0), input, output, *scratch).ok());
  });
  while (turns.of(0).waiting() == 0) std::this_thread::yield();
  time.Advance(milliseconds(500));
  turns.of(0).GiveBack();
  run.join();
  EXPECT_EQ(clock.Now() - start, milliseconds(3));
}

}  // namespace
}  // namespace anybit::server
