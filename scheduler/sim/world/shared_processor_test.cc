#include "scheduler/sim/world/shared_processor.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scheduler/sim/world/sim_event_loop.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::Pair;

MonoTime At(int64_t ns) { return MonoTime(nanoseconds(ns)); }

class SharedProcessorTest : public ::testing::Test {
 protected:
  void AddAt(int64_t when, Worker worker, int64_t work, const std::string& name) {
    loop_.PostAt(At(when), [this, worker, work, name] {
      processor_.Add(worker, nanoseconds(work), [this, name] { finished_.emplace_back(name, Now()); });
    });
  }
  int64_t Now() const { return loop_.Now().time_since_epoch().count(); }

  SimEventLoop loop_;
  SharedProcessor processor_{loop_};
  std::vector<std::pair<std::string, int64_t>> finished_;
};

TEST_F(SharedProcessorTest, ATaskThatWorksAloneHasTheWholeProcessor) {
  AddAt(0, Worker::kSlot, 100, "batch");
  AddAt(200, Worker::kEdge, 20, "call");
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("batch", 100), Pair("call", 220)));
}

TEST_F(SharedProcessorTest, TheEdgesTasksAreDoneOneAfterAnother) {
  AddAt(0, Worker::kEdge, 20, "first");
  AddAt(5, Worker::kEdge, 10, "second");
  AddAt(5, Worker::kEdge, 1, "third");
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("first", 20), Pair("second", 30), Pair("third", 31)));
}

TEST_F(SharedProcessorTest, WhileBothWorkEachIsHalfAsFast) {
  // The batch is alone until 30 and has 70 left. From 30 to 70 both go at half speed: the call's 20 are done, the
  // batch has 50 left, alone again.
  AddAt(0, Worker::kSlot, 100, "batch");
  AddAt(30, Worker::kEdge, 20, "call");
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("call", 70), Pair("batch", 120)));
}

TEST_F(SharedProcessorTest, ABacklogOfTheEdgeStretchesABatchToTwiceItsLengthAndNoMore) {
  for (int i = 0; i < 10; ++i) AddAt(0, Worker::kEdge, 20, "call");
  AddAt(0, Worker::kSlot, 50, "batch");
  loop_.Run();
  ASSERT_EQ(finished_.size(), 11u);
  EXPECT_EQ(finished_[2], (std::pair<std::string, int64_t>("batch", 100)));  // after the calls of 40 and 80
  EXPECT_EQ(finished_.back().second, 250) << "no work is lost: 200 + 50";
}

TEST_F(SharedProcessorTest, OfTasksThatFinishAtOnceTheEdgesIsToldFirst) {
  AddAt(0, Worker::kSlot, 40, "batch");
  AddAt(0, Worker::kEdge, 40, "call");
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("call", 80), Pair("batch", 80)));
}

TEST_F(SharedProcessorTest, OddTasksFinishAtWholeNanosecondsToo) {
  // The call's 3 take 6 beside the batch, which has 4 of its 7 left at 6: 10. Started one later: the batch has 6 left
  // at 1, both work until 7, 3 left.
  AddAt(0, Worker::kSlot, 7, "even");
  AddAt(0, Worker::kEdge, 3, "call");
  AddAt(100, Worker::kSlot, 7, "odd");
  AddAt(101, Worker::kEdge, 3, "later call");
  AddAt(200, Worker::kSlot, 2, "first");
  AddAt(201, Worker::kEdge, 2, "second");
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("call", 6), Pair("even", 10), Pair("later call", 107), Pair("odd", 110),
                                     Pair("first", 203), Pair("second", 204)));
}

TEST_F(SharedProcessorTest, ATaskWithoutWorkIsDoneAtOnceButNotBeforeAddReturns) {
  bool added = false;
  loop_.PostAt(At(5), [&] {
    processor_.Add(Worker::kEdge, nanoseconds(0), [&] {
      EXPECT_TRUE(added);
      finished_.emplace_back("nothing", Now());
    });
    added = true;
  });
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("nothing", 5)));
}

TEST_F(SharedProcessorTest, AFinishedTaskMayAddTasks) {
  loop_.PostAt(At(0), [&] {
    processor_.Add(Worker::kSlot, nanoseconds(10), [&] {
      processor_.Add(Worker::kEdge, nanoseconds(4), [&] { finished_.emplace_back("answer", Now()); });
      processor_.Add(Worker::kSlot, nanoseconds(4), [&] { finished_.emplace_back("next batch", Now()); });
      EXPECT_EQ(processor_.tasks(Worker::kSlot), 1u);
    });
  });
  loop_.Run();
  EXPECT_THAT(finished_, ElementsAre(Pair("answer", 18), Pair("next batch", 18)));
}

}  // namespace
}  // namespace anybit::scheduler::sim
