#include "server/processors.h"

#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace anybit {
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

}  // namespace
}  // namespace anybit
