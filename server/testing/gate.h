// Holds the runs of a network until it is opened, so that a test decides what runs and what waits.
#ifndef ANYBIT_SERVER_TESTING_GATE_H_
#define ANYBIT_SERVER_TESTING_GATE_H_

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/testing/sum_network.h"

namespace anybit::server::testing {

// Any thread.
class Gate {
 public:
  // For SumNetwork: every run waits until the gate is open.
  SumNetwork::BeforeRun Hold() {
    return [this](int, int rows) {
      absl::MutexLock lock(&mutex_);
      rows_begun_ += rows;
      mutex_.Await(absl::Condition(&open_));
      return absl::OkStatus();
    };
  }
  void WaitUntilARunBegan() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* rows) { return *rows > 0; }, &rows_begun_));
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  // For the next run, which is again the first.
  void Close() {
    absl::MutexLock lock(&mutex_);
    open_ = false;
    rows_begun_ = 0;
  }
  int rows_begun() {
    absl::MutexLock lock(&mutex_);
    return rows_begun_;
  }

 private:
  absl::Mutex mutex_;
  bool open_ = false;
  int rows_begun_ = 0;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_GATE_H_
