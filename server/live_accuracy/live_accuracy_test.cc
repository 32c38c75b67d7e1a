#include "server/live_accuracy/live_accuracy.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/live_accuracy/testing/held_batches.h"
#include "server/testing/manual_loop.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using namespace std::chrono_literals;
using testing::BatchOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using testing::SumNetwork;

constexpr PointId kReference = ToPointId(SumNetwork::kFp32);
constexpr PointId kCheap = ToPointId(SumNetwork::kW1a1);

// Two slots, and rows that run again until the test ends them.
class LiveAccuracyTest : public ::testing::Test {
 protected:
  // Batches of one row, whose answer is class `predicted`.
  void Begin(int slot, PointId point = kCheap) {
    live_.runner().Run(slot, BatchOf(ToIndex(point), {"abcd"}, 4), [](scheduler::BatchResult) {});
  }
  void Finish(int slot, int predicted = 1) {
    std::vector<float> logits(3);
    logits[predicted] = 1;
    held_.Finish(slot, {logits});
    loop_.Turn();
  }
  // Then nothing happens for a while.
  void Answer(PointId point = kCheap, int predicted = 1) {
    Begin(0, point);
    Finish(0, predicted);
    loop_.Advance(LiveAccuracy::kQuiet);
  }
  // Ends the row that runs after `took`.
  void FinishAgain(absl::StatusOr<int> predicted, Duration took = 1ms) {
    loop_.Advance(took);
    again_.back().second(std::move(predicted));
    loop_.Turn();
  }

  const SumNetwork network_;
  testing::HeldBatches held_{2};
  testing::ManualLoop loop_;
  std::vector<std::pair<std::string, absl::AnyInvocable<void(absl::StatusOr<int>)>>> again_;
  std::vector<std::pair<PointId, bool>> reports_;
  LiveAccuracy live_{held_,
                     loop_,
                     network_.description(),
                     kReference,
                     0.01,
                     [this](std::string input, auto done) { again_.emplace_back(std::move(input), std::move(done)); },
                     [this](PointId point, bool agrees) { reports_.emplace_back(point, agrees); }};
};

TEST_F(LiveAccuracyTest, ComparesAnAnswerWithThatOfTheReference) {
  Answer();
  ASSERT_THAT(again_, SizeIs(1));
  EXPECT_EQ(again_[0].first, "abcd");
  FinishAgain(1);
  loop_.Advance(1s);
  Answer(kCheap, /*predicted=*/1);
  FinishAgain(2);
  EXPECT_THAT(reports_, ElementsAre(Pair(kCheap, true), Pair(kCheap, false)));
}

TEST_F(LiveAccuracyTest, TheReferenceIsNotComparedWithItself) {
  Answer(kReference);
  EXPECT_THAT(again_, IsEmpty());
}

TEST_F(LiveAccuracyTest, ARowRunsAgainOnlyWhileEverySlotIsIdle) {
  Begin(1);
  Answer();
  loop_.Advance(10s);
  EXPECT_THAT(again_, IsEmpty());
  Finish(1);
  loop_.Advance(LiveAccuracy::kRetry + LiveAccuracy::kQuiet);
  EXPECT_THAT(again_, SizeIs(1));
}

TEST_F(LiveAccuracyTest, SlotsAreNotIdleWhileOneBatchFollowsAnother) {
  for (int batch = 0; batch < 100; ++batch) {
    Begin(0);
    loop_.Advance(3ms);
    Finish(0);
    loop_.Advance(1ms);
    EXPECT_THAT(again_, IsEmpty()) << batch;
  }
  loop_.Advance(LiveAccuracy::kRetry + LiveAccuracy::kQuiet);
  EXPECT_THAT(again_, SizeIs(1));
}

TEST_F(LiveAccuracyTest, RunsTakeNoMoreThanTheirShareOfTime) {
  Answer();
  FinishAgain(1, 3ms);
  loop_.Advance(297ms - LiveAccuracy::kQuiet - 1ns);
  Answer();
  EXPECT_THAT(again_, SizeIs(1));
  loop_.Advance(1ns);
  Answer();
  EXPECT_THAT(again_, SizeIs(2));
}

TEST_F(LiveAccuracyTest, OneRowRunsAtATime) {
  Answer();
  loop_.Advance(10s);
  Answer();
  EXPECT_THAT(again_, SizeIs(1));
}

TEST_F(LiveAccuracyTest, ARunThatFailsIsNotReportedAndAnotherComesLater) {
  Answer();
  FinishAgain(absl::InternalError("broken"));
  EXPECT_THAT(reports_, IsEmpty());
  loop_.Advance(LiveAccuracy::kRestAfterFailure - LiveAccuracy::kQuiet - 1ns);
  Answer();
  EXPECT_THAT(again_, SizeIs(1));
  loop_.Advance(1ns);
  Answer();
  EXPECT_THAT(again_, SizeIs(2));
}

TEST(ReferencePointTest, IsTheMostAccurateOfSeveral) {
  model::NetworkDescription network = SumNetwork().description();
  EXPECT_EQ(ReferencePoint(network), kReference);
  network.points[SumNetwork::kW4a4f].accuracy = 0.99;
  EXPECT_EQ(ReferencePoint(network), ToPointId(SumNetwork::kW4a4f));
  network.points.resize(1);
  EXPECT_EQ(ReferencePoint(network), std::nullopt);
}

}  // namespace
}  // namespace anybit::server
