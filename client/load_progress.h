// A line on the terminal that tells how a load fares while it runs.
//
//   LoadProgress progress(rates, duration);       // progress.Count(...) for each call that ends
//   const ProgressLine line(std::cerr, [&] { return progress.Tell(elapsed); });
#ifndef ANYBIT_CLIENT_LOAD_PROGRESS_H_
#define ANYBIT_CLIENT_LOAD_PROGRESS_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <ostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/load_generator.h"
#include "client/load_plan.h"

namespace anybit::client {

// Counts the calls that end. Any thread.
class LoadProgress {
 public:
  explicit LoadProgress(std::span<const LoadStep> steps) : steps_(steps.begin(), steps.end()) {}

  void Count(const CallOutcome& outcome);

  // Of the calls that ended since the last time: how they ended, their latencies and operating points. Without a line
  // end.
  std::string Tell(std::chrono::nanoseconds since_start);

 private:
  // Of one line.
  struct Window {
    std::map<Ending, int64_t> endings;
    std::map<std::string, int64_t> points;
    std::vector<std::chrono::nanoseconds> latencies;
  };

  const std::vector<LoadStep> steps_;

  absl::Mutex mutex_;
  Window window_ ABSL_GUARDED_BY(mutex_);
};

// While it lives, writes `tell()` over the last line of `terminal` twice a second; clears it at its end.
class ProgressLine {
 public:
  ProgressLine(std::ostream& terminal, std::function<std::string()> tell);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  void Run();

  std::ostream& terminal_;
  const std::function<std::string()> tell_;

  std::mutex mutex_;  // not absl's, whose deadlines follow the wall clock
  std::condition_variable changed_;
  bool ends_ = false;  // guarded by mutex_

  std::thread thread_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_PROGRESS_H_
