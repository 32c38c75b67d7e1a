#include "server/live_accuracy/sampled_runner.h"

#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/live_accuracy/testing/held_batches.h"

namespace anybit::server {
namespace {

using testing::BatchOf;
using ::testing::ElementsAre;
using testing::HeldBatches;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr PointId kReference = ToPointId(0);

// Rows of two codes and two logits on two slots.
class SampledRunnerTest : public ::testing::Test {
 protected:
  void Run(int slot, int point, const std::vector<std::string>& inputs) {
    runner_.Run(slot, BatchOf(point, inputs, 2), [this](scheduler::BatchResult result) {
      EXPECT_EQ(runner_.busy_slots(), busy_when_done_);
      results_.push_back(std::move(result));
    });
  }
  // A batch of one row.
  void Answer(int point) {
    Run(0, point, {"ab"});
    held_.Finish(0, {{0, 1}});
  }

  HeldBatches held_{2};
  std::vector<RowSample> samples_;
  SampledRunner runner_{held_, 2, 2, [this](RowSample sample) { samples_.push_back(std::move(sample)); }};
  int busy_when_done_ = 0;
  std::vector<scheduler::BatchResult> results_;
};

TEST_F(SampledRunnerTest, PassesBatchesAndTheirAnswers) {
  Run(0, 1, {"ab", "cd"});
  Run(1, 0, {"ef"});
  EXPECT_EQ(runner_.slots(), 2);
  EXPECT_EQ(runner_.busy_slots(), 2);
  busy_when_done_ = 1;
  held_.Finish(1, {{1, 2}}, absl::InternalError("broken"));
  busy_when_done_ = 0;
  held_.Finish(0, {{3, 4}, {5, 6}});
  ASSERT_THAT(results_, SizeIs(2));
  EXPECT_EQ(results_[0].status.message(), "broken");
  EXPECT_THAT(static_cast<const InferencePayload&>(*results_[1].batch.members[1]).output, ElementsAre(5, 6));
  EXPECT_THAT(samples_, IsEmpty());  // nobody wanted one
}

TEST_F(SampledRunnerTest, ASampleIsARowOfTheNextBatchWithItsAnswer) {
  runner_.Want(kReference);
  Run(0, 2, {"ab", "cdef"});
  held_.Finish(0, {{3, 4}, {1, 0, 7, 8}});
  ASSERT_THAT(samples_, SizeIs(1));
  EXPECT_EQ(samples_[0].point, ToPointId(2));
  EXPECT_EQ(samples_[0].input, "ab");
  EXPECT_EQ(samples_[0].predicted, 1);
  Answer(2);
  EXPECT_THAT(samples_, SizeIs(1));  // no other was wanted
}

TEST_F(SampledRunnerTest, SamplesComeFromAllRowsOfABatch) {
  std::vector<std::string> inputs;
  for (int i = 0; i < 6; ++i) {
    runner_.Want(kReference);
    Run(0, 2, {"ab", "cdef"});
    held_.Finish(0, {{0, 1}, {1, 0, 0, 1}});
    inputs.push_back(samples_.back().input);
    EXPECT_EQ(samples_.back().predicted, inputs.back() == "cd" ? 0 : 1);
  }
  EXPECT_THAT(inputs, ElementsAre("ab", "cd", "ef", "ab", "cd", "ef"));
}

TEST_F(SampledRunnerTest, BatchesOfTheExceptedPointAndFailedOnesGiveNone) {
  runner_.Want(kReference);
  Answer(0);
  Run(0, 1, {"ab"});
  held_.Finish(0, {{}}, absl::InternalError("broken"));
  EXPECT_THAT(samples_, IsEmpty());
  Answer(1);
  EXPECT_THAT(samples_, SizeIs(1));
}

TEST_F(SampledRunnerTest, ASampleThatThereIsNoMemoryForComesFromTheNextBatch) {
  int failures = 2;
  SampledRunner runner(held_, 2, 2, [&](RowSample sample) {
    if (failures-- > 0) throw std::bad_alloc();
    samples_.push_back(std::move(sample));
  });
  runner.Want(kReference);
  for (const char* input : {"ab", "cd", "ef", "gh"}) {
    runner.Run(0, BatchOf(1, {input}, 2), [](scheduler::BatchResult) {});
    held_.Finish(0, {{0, 1}});
  }
  ASSERT_THAT(samples_, SizeIs(1));
  EXPECT_EQ(samples_[0].input, "ef");
}

TEST(PredictedClassTest, IsTheFirstOfTheLargestLogits) {
  const auto of = [](std::vector<float> logits) { return PredictedClass(logits); };
  EXPECT_EQ(of({1, 3, 3, 2}), 1);
  EXPECT_EQ(of({-2, -1}), 1);
  EXPECT_EQ(of({}), -1);
  EXPECT_EQ(of({1, std::numeric_limits<float>::quiet_NaN()}), -1);
}

}  // namespace
}  // namespace anybit::server
