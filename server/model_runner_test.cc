#include "server/model_runner.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "model/testing/allocation_count.h"
#include "server/inference_payload.h"
#include "server/processors.h"
#include "server/testing/manual_clock.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ManualClock;
using testing::SumNetwork;

std::unique_ptr<scheduler::Payload> Rows(std::vector<uint8_t> codes) {
  auto payload = std::make_unique<InferencePayload>();
  payload->input.assign(codes.begin(), codes.end());
  return payload;
}

scheduler::Batch MakeBatch(int point, int rows, std::vector<std::vector<uint8_t>> members) {
  scheduler::Batch batch{.point = ToPointId(point), .rows = rows};
  for (auto& codes : members) batch.members.push_back(Rows(std::move(codes)));
  return batch;
}

const std::vector<float>& OutputOf(const scheduler::BatchResult& result, int member) {
  return static_cast<const InferencePayload&>(*result.batch.members[member]).output;
}

// Runs on slot 0 and waits for the answer.
scheduler::BatchResult RunAndWait(ModelRunner& runner, scheduler::Batch batch) {
  scheduler::BatchResult result;
  absl::Notification done;
  runner.Run(0, std::move(batch), [&](scheduler::BatchResult r) {
    result = std::move(r);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

TEST(ModelRunnerTest, EachMemberGetsTheOutputsOfItsOwnRows) {
  const SumNetwork network;
  ManualClock clock;
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 4});
  const scheduler::BatchResult result =
      RunAndWait(runner, MakeBatch(SumNetwork::kW8a8, 3, {{1, 2, 3, 4}, {10, 10, 10, 10, 255, 255, 255, 255}}));
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(OutputOf(result, 0), ElementsAre(10.25f, 1010.25f, 2010.25f));
  EXPECT_THAT(OutputOf(result, 1), ElementsAre(40.25f, 1040.25f, 2040.25f, 1020.25f, 2020.25f, 3020.25f));
}

TEST(ModelRunnerTest, AShortBatchAfterALongOneSeesNothingOfIt) {
  const SumNetwork network;
  ManualClock clock;
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 2});
  RunAndWait(runner, MakeBatch(0, 2, {{9, 9, 9, 9, 9, 9, 9, 9}}));
  const scheduler::BatchResult result = RunAndWait(runner, MakeBatch(0, 1, {{1, 0, 0, 0}}));
  EXPECT_THAT(OutputOf(result, 0), ElementsAre(1, 1001, 2001));
}

TEST(ModelRunnerTest, TimesComeFromTheLoop) {
  ManualClock clock;
  clock.Advance(milliseconds(5));
  const SumNetwork network([&](int, int) {
    clock.Advance(milliseconds(3));
    return absl::OkStatus();
  });
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1});
  const scheduler::BatchResult result = RunAndWait(runner, MakeBatch(0, 1, {{0, 0, 0, 0}}));
  EXPECT_EQ(result.started, MonoTime(milliseconds(5)));
  EXPECT_EQ(result.finished, MonoTime(milliseconds(8)));
}

TEST(ModelRunnerTest, AFailingNetworkFailsThatBatchOnly) {
  ManualClock clock;
  const SumNetwork network([](int point, int) {
    if (point == SumNetwork::kFp32) return absl::ResourceExhaustedError("no memory");
    if (point == SumNetwork::kW8a8) throw std::runtime_error("a library threw");
    return absl::OkStatus();
  });
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1});
  const scheduler::BatchResult failed = RunAndWait(runner, MakeBatch(SumNetwork::kFp32, 1, {{0, 0, 0, 0}}));
  EXPECT_EQ(failed.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(failed.status.message()), HasSubstr("no memory"));
  ASSERT_EQ(failed.batch.members.size(), 1u);
  const scheduler::BatchResult threw = RunAndWait(runner, MakeBatch(SumNetwork::kW8a8, 1, {{0, 0, 0, 0}}));
  EXPECT_EQ(threw.status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(threw.status.message()), HasSubstr("a library threw"));
  EXPECT_TRUE(RunAndWait(runner, MakeBatch(SumNetwork::kW1a1, 1, {{0, 0, 0, 0}})).status.ok());
}

TEST(ModelRunnerTest, RowsThatDoNotMatchTheMembersAreRefusedBeforeTheNetworkRuns) {
  ManualClock clock;
  bool ran = false;
  const SumNetwork network([&](int, int) {
    ran = true;
    return absl::OkStatus();
  });
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 2});
  EXPECT_EQ(RunAndWait(runner, MakeBatch(0, 2, {{0, 0, 0, 0}})).status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(RunAndWait(runner, MakeBatch(0, 1, {{0, 0, 0}})).status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(RunAndWait(runner, MakeBatch(0, 1, {{0, 0, 0, 0, 0, 0, 0, 0}})).status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(RunAndWait(runner, MakeBatch(0, 3, {{0, 0, 0, 0}})).status.code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(ran);
}

TEST(ModelRunnerTest, SlotsRunAtTheSameTime) {
  ManualClock clock;
  absl::Notification other_ran;
  const SumNetwork network([&](int point, int) {
    if (point == SumNetwork::kFp32) other_ran.WaitForNotification();  // for ever, were there one thread only
    if (point == SumNetwork::kW1a1) other_ran.Notify();
    return absl::OkStatus();
  });
  ModelRunner runner(network, clock, {.slots = 2, .max_batch = 1});
  ASSERT_EQ(runner.slots(), 2);
  absl::Notification first, second;
  runner.Run(0, MakeBatch(SumNetwork::kFp32, 1, {{0, 0, 0, 0}}), [&](scheduler::BatchResult) { first.Notify(); });
  runner.Run(1, MakeBatch(SumNetwork::kW1a1, 1, {{0, 0, 0, 0}}), [&](scheduler::BatchResult) { second.Notify(); });
  first.WaitForNotification();
  second.WaitForNotification();
}

TEST(ModelRunnerTest, ASlotsThreadAndItsScratchAreOnItsProcessors) {
  // A network that tells where it was asked for things.
  class Located : public SumNetwork {
   public:
    using SumNetwork::SumNetwork;
    std::unique_ptr<Scratch> MakeScratch(int max_rows) const override {
      absl::MutexLock lock(&mutex);
      scratch_made_on.push_back(Numbers());
      return SumNetwork::MakeScratch(max_rows);
    }
    static ProcessorSet Numbers() {
      ProcessorSet numbers;
      for (const Processor& processor : AllowedProcessors()) numbers.push_back(processor.number);
      return numbers;
    }
    mutable absl::Mutex mutex;
    mutable std::vector<ProcessorSet> scratch_made_on;
  };
  ManualClock clock;
  ProcessorSet ran_on;
  const Located network([&](int, int) {
    ran_on = Located::Numbers();
    return absl::OkStatus();
  });
  const ProcessorSet here = Located::Numbers();
  const ProcessorSet first = {here.front()}, last = {here.back()};
  ModelRunner runner(network, clock, {.slots = 2, .max_batch = 1, .processors = {last, first}});
  EXPECT_TRUE(runner.pinning().ok()) << runner.pinning();
  EXPECT_THAT(network.scratch_made_on, ::testing::UnorderedElementsAre(first, last));
  RunAndWait(runner, MakeBatch(0, 1, {{0, 0, 0, 0}}));
  EXPECT_EQ(ran_on, last);
  EXPECT_EQ(Located::Numbers(), here) << "others are not pinned";
}

TEST(ModelRunnerTest, ASlotThatMemoryIsMissingForIsTheMakersToHandle) {
  struct Large final : SumNetwork {
    std::unique_ptr<Scratch> MakeScratch(int) const override { throw std::bad_alloc(); }
  };
  ManualClock clock;
  const Large network;
  EXPECT_THROW(ModelRunner(network, clock, {.slots = 2, .max_batch = 1}), std::bad_alloc);
}

TEST(ModelRunnerTest, BatchesThatYieldRunAtALowerPriorityOnTheSameProcessorsAndAnswerAlike) {
  ManualClock clock;
  std::vector<int> priorities;
  std::vector<std::vector<Processor>> processors;
  const SumNetwork network([&](int, int) {
    priorities.push_back(getpriority(PRIO_PROCESS, 0));
    processors.push_back(AllowedProcessors());
    return absl::OkStatus();
  });
  const int last = AllowedProcessors().back().number;
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1, .processors = {{last}}});
  EXPECT_TRUE(runner.pinning().ok()) << runner.pinning();
  const int here = getpriority(PRIO_PROCESS, 0);
  for (const bool yields : {false, true, false, true, true}) {
    scheduler::Batch batch = MakeBatch(SumNetwork::kW8a8, 1, {{1, 2, 3, 4}});
    batch.priority = yields ? scheduler::BatchPriority::kBelowEdge : scheduler::BatchPriority::kEqual;
    const scheduler::BatchResult result = RunAndWait(runner, std::move(batch));
    EXPECT_THAT(OutputOf(result, 0), ElementsAre(10.25f, 1010.25f, 2010.25f));
    EXPECT_EQ(priorities.back(), yields ? std::min(here + 5, 19) : here);
    ASSERT_EQ(processors.back().size(), 1u);
    EXPECT_EQ(processors.back()[0].number, last);
  }
}

TEST(ModelRunnerTest, ASlotThatCannotBePinnedRunsAnywhereAndTellsWhy) {
  const SumNetwork network;
  ManualClock clock;
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1, .processors = {{65535}}});
  EXPECT_THAT(std::string(runner.pinning().message()), HasSubstr("processors 65535"));
  EXPECT_TRUE(RunAndWait(runner, MakeBatch(0, 1, {{0, 0, 0, 0}})).status.ok());
}

TEST(ModelRunnerTest, ABatchWhoseMembersHaveRoomForTheirOutputsAllocatesNothing) {
  const SumNetwork network;
  ManualClock clock;
  ModelRunner runner(network, clock, {.slots = 1, .max_batch = 3});
  struct Answer {
    scheduler::BatchResult result;
    int64_t allocations = 0;  // of the slot's thread so far; it waits between batches
    absl::Notification done;
  };
  int64_t slots_allocations = 0;
  for (int round = 0; round < 3; ++round) {
    scheduler::Batch batch = MakeBatch(SumNetwork::kW8a8, 3, {{1, 2, 3, 4}, {10, 10, 10, 10, 255, 255, 255, 255}});
    for (auto& member : batch.members) static_cast<InferencePayload&>(*member).output.reserve(6);
    Answer answer;
    const int64_t before = model::AllocationsOfThread();
    runner.Run(0, std::move(batch), [&answer](scheduler::BatchResult result) {
      answer.result = std::move(result);
      answer.allocations = model::AllocationsOfThread();
      answer.done.Notify();
    });
    const int64_t givers_allocations = model::AllocationsOfThread() - before;
    answer.done.WaitForNotification();
    EXPECT_TRUE(answer.result.status.ok());
    if (round == 2) {
      EXPECT_EQ(givers_allocations, 0);
      EXPECT_EQ(answer.allocations, slots_allocations);
    }
    slots_allocations = answer.allocations;
  }
  EXPECT_GT(slots_allocations, 0) << "not even the slot's buffers were counted";
}

TEST(ModelRunnerTest, WhatWasGivenIsAnsweredBeforeTheRunnerEnds) {
  const SumNetwork network;
  ManualClock clock;
  bool answered = false;
  {
    ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1});
    runner.Run(0, MakeBatch(0, 1, {{0, 0, 0, 0}}),
               [&](scheduler::BatchResult result) { answered = result.status.ok(); });
  }
  EXPECT_TRUE(answered);
  answered = false;
  {
    ModelRunner runner(network, clock, {.slots = 1, .max_batch = 1});
    scheduler::Batch batch = MakeBatch(0, 1, {{0, 0, 0, 0}});
    batch.priority = scheduler::BatchPriority::kBelowEdge;
    runner.Run(0, std::move(batch), [&](scheduler::BatchResult result) { answered = result.status.ok(); });
  }
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace anybit::server
