#include "model/engine/thread_crew.h"

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

TEST(ThreadCrewTest, EndsWithoutACall) {
  std::atomic<int> runs = 0;
  {
    ThreadCrew crew(2, [&](int) { ++runs; });
  }
  EXPECT_EQ(runs, 0);
}

}  // namespace
}  // namespace anybit::model
