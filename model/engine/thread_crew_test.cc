#include "model/engine/thread_crew.h"

#include <sched.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/synchronization/barrier.h"

namespace anybit::model {
namespace {

TEST(ThreadCrewTest, RunsEveryShareOnceForEachCall) {
  std::vector<int> runs(4, 0);  // each share writes its own
  ThreadCrew crew(3, [&](int share) { ++runs[share]; });
  for (int call = 1; call <= 100; ++call) {
    crew.Run();
    EXPECT_EQ(runs, std::vector<int>(4, call));
  }
}

TEST(ThreadCrewTest, RunsSharesAtTheSameTimeAndTheFirstOnTheCallersThread) {
  std::vector<std::thread::id> threads(3);
  auto* const all_run = new absl::Barrier(3);  // for ever, if a share waited for another to end
  ThreadCrew crew(2, [&](int share) {
    threads[share] = std::this_thread::get_id();
    if (all_run->Block()) delete all_run;
  });
  crew.Run();
  EXPECT_EQ(threads[0], std::this_thread::get_id());
  EXPECT_EQ(std::set(threads.begin(), threads.end()).size(), 3u);
}

TEST(ThreadCrewTest, WithoutHelpersRunsOnTheCallersThreadAlone) {
  std::vector<int> shares;
  ThreadCrew crew(0, [&](int share) { shares.push_back(share); });
  crew.Run();
  EXPECT_EQ(shares, std::vector<int>{0});
}

// The processors that a thread may run on, and a way to leave it only one of them. Restored at the end.
class Processors {
 public:
  Processors() { sched_getaffinity(0, sizeof(all_), &all_); }
  ~Processors() { sched_setaffinity(0, sizeof(all_), &all_); }

  int count() const { return CPU_COUNT(&all_); }

  void RunOnlyOn(int processor) const {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  }

  std::vector<int> numbers() const {
    std::vector<int> numbers;
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &all_)) numbers.push_back(i);
    }
    return numbers;
  }

 private:
  cpu_set_t all_;
};

TEST(ThreadCrewTest, HelpersKeepOffTheProcessorThatTheCallerIsOn) {
  const Processors processors;
  if (processors.count() < 2) GTEST_SKIP() << "one processor";
  std::vector<int> ran_on(2);
  ThreadCrew crew(1, [&](int share) { ran_on[share] = sched_getcpu(); });
  for (int processor : processors.numbers()) {
    processors.RunOnlyOn(processor);
    crew.Run();
    EXPECT_EQ(ran_on[0], processor);
    EXPECT_NE(ran_on[1], processor);
  }
}

TEST(ThreadCrewTest, HelpersShareTheProcessorWhereThereIsOne) {
  const Processors processors;
  processors.RunOnlyOn(processors.numbers().back());
  std::vector<int> ran_on(2);
  ThreadCrew crew(1, [&](int share) { ran_on[share] = sched_getcpu(); });
  crew.Run();
  EXPECT_EQ(ran_on, std::vector<int>(2, processors.numbers().back()));
}

TEST(ThreadCrewTest, EndsWithoutACall) {
  std::atomic<int> runs = 0;
  {
    ThreadCrew crew(2, [&](int) { ++runs; });
  }
  EXPECT_EQ(runs, 0);
}

}  // namespace
}  // namespace anybit::model
