#include "server/processors.h"

#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two processors on each core, numbered as most machines do: the second ones after all first ones.
const std::vector<Processor> kFourCores = {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 0}, {5, 1}, {6, 2}, {7, 3}};

TEST(AssignProcessorsTest, SlotsGetCoresOfTheirOwnWhileThereAreEnough) {
  EXPECT_THAT(AssignProcessors(kFourCores, 2, 1), ElementsAre(ElementsAre(0), ElementsAre(1)));
  EXPECT_THAT(AssignProcessors(kFourCores, 2, 2), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  // Other machines number a core's processors one after the other.
  EXPECT_THAT(AssignProcessors({{0, 0}, {1, 0}, {2, 2}, {3, 2}}, 2, 1), ElementsAre(ElementsAre(0), ElementsAre(2)));
}

TEST(AssignProcessorsTest, WhatSharesACoreBelongsToOneSlot) {
  EXPECT_THAT(AssignProcessors(kFourCores, 4, 2),
              ElementsAre(ElementsAre(0, 4), ElementsAre(1, 5), ElementsAre(2, 6), ElementsAre(3, 7)));
}

TEST(AssignProcessorsTest, SetsAreDisjointAndOfTheSizeAskedForAndAllowed) {
  const std::vector<Processor> allowed = {{3, 3}, {5, 5}, {6, 6}, {11, 3}, {13, 5}, {70, 70}, {71, 70}};
  for (int slots = 1; slots <= 7; ++slots) {
    for (int threads = 1; slots * threads <= (slots == 1 ? 6 : 7); ++threads) {
      const std::vector<ProcessorSet> sets = AssignProcessors(allowed, slots, threads);
      ASSERT_EQ(sets.size(), static_cast<size_t>(slots));
      std::set<int> left;
      for (const Processor& processor : allowed) left.insert(processor.number);
      for (const ProcessorSet& set : sets) {
        EXPECT_EQ(set.size(), static_cast<size_t>(threads));
        for (int number : set) EXPECT_EQ(left.erase(number), 1u) << number;
      }
    }
  }
}

TEST(AssignProcessorsTest, OneSlotThatWantsAllAndSlotsThatWantMoreGetNoSets) {
  EXPECT_THAT(AssignProcessors(kFourCores, 1, 8), IsEmpty());
  EXPECT_THAT(AssignProcessors(kFourCores, 3, 3), IsEmpty());
  EXPECT_THAT(AssignProcessors({}, 1, 1), IsEmpty());
}

TEST(PinThisThreadTest, TheThreadAndThoseItMakesStayThere) {
  const int last = AllowedProcessors().back().number;
  std::vector<Processor> of_pinned, of_its_child;
  std::thread([&] {
    EXPECT_TRUE(PinThisThread({last}).ok());
    of_pinned = AllowedProcessors();
    std::thread([&] { of_its_child = AllowedProcessors(); }).join();
  }).join();
  EXPECT_THAT(of_pinned, ElementsAre(AllowedProcessors().back()));
  EXPECT_EQ(of_its_child, of_pinned);
}

TEST(PinThisThreadTest, ARefusalNamesTheProcessorsAndChangesNothing) {
  const std::vector<Processor> before = AllowedProcessors();
  const absl::Status status = PinThisThread({65534, 65535});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("processors 65534, 65535"));
  EXPECT_EQ(AllowedProcessors(), before);
}

TEST(PinThisThreadTest, NoProcessorsMeansAny) {
  const std::vector<Processor> before = AllowedProcessors();
  EXPECT_TRUE(PinThisThread({}).ok());
  EXPECT_EQ(AllowedProcessors(), before);
}

TEST(SlotLayoutTest, OneOrTwoProcessorsHaveOneSlotOfOneThread) {
  for (int processors : {1, 2}) {
    const SlotLayout layout = ChooseSlotLayout(processors, std::nullopt, {});
    EXPECT_EQ(layout.slots, 1);
    EXPECT_EQ(layout.threads_per_slot, 1);
    EXPECT_TRUE(layout.pin);
  }
}

TEST(SlotLayoutTest, MoreProcessorsAreUsedAndSomeAreLeftForTheRest) {
  struct Case {
    int processors, slots, threads;
  };
  for (const Case& c :
       std::vector<Case>{{3, 2, 1}, {4, 3, 1}, {8, 7, 1}, {9, 8, 1}, {16, 8, 1}, {32, 8, 3}, {64, 8, 7}}) {
    const SlotLayout layout = ChooseSlotLayout(c.processors, std::nullopt, {});
    EXPECT_EQ(layout.slots, c.slots) << c.processors;
    EXPECT_EQ(layout.threads_per_slot, c.threads) << c.processors;
    EXPECT_LT(layout.slots * layout.threads_per_slot, c.processors);
  }
}

TEST(SlotLayoutTest, AQuotaCountsAsSoManyProcessorsAndEndsPinning) {
  const SlotLayout half = ChooseSlotLayout(2, 0.5, {});
  EXPECT_EQ(half, (SlotLayout{.slots = 1,
                              .threads_per_slot = 1,
                              .pin = false,
                              .reason = "2 processors, a control group's quota of 0.5 of them: 1 slot of 1 thread, not "
                                        "pinned"}));
  const SlotLayout four = ChooseSlotLayout(64, 4.5, {});
  EXPECT_EQ(four.slots, 3);
  EXPECT_EQ(four.threads_per_slot, 1);
  EXPECT_FALSE(four.pin);
}

TEST(SlotLayoutTest, AQuotaOfAllProcessorsOrMoreLimitsNothing) {
  EXPECT_EQ(ChooseSlotLayout(4, 4.0, {}), ChooseSlotLayout(4, std::nullopt, {}));
  EXPECT_EQ(ChooseSlotLayout(4, 9.0, {}), ChooseSlotLayout(4, std::nullopt, {}));
}

TEST(SlotLayoutTest, WhatIsGivenIsKeptAndTheRestFollows) {
  const SlotLayout threads = ChooseSlotLayout(16, std::nullopt, {.threads_per_slot = 7});
  EXPECT_EQ(threads.slots, 2);
  EXPECT_EQ(threads.reason, "16 processors: 2 slots of 7 threads (given), pinned");
  const SlotLayout slots = ChooseSlotLayout(16, std::nullopt, {.slots = 2, .pin = false});
  EXPECT_EQ(slots.threads_per_slot, 7);
  EXPECT_EQ(slots.reason, "16 processors: 2 slots (given) of 7 threads, not pinned (given)");
  EXPECT_EQ(ChooseSlotLayout(2, 0.5, {.slots = 5}).slots, 5);
}

}  // namespace
}  // namespace anybit::server
