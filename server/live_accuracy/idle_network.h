// Runs single rows at one operating point, on a thread that works only while the processors have nothing else to do.
#ifndef ANYBIT_SERVER_LIVE_ACCURACY_IDLE_NETWORK_H_
#define ANYBIT_SERVER_LIVE_ACCURACY_IDLE_NETWORK_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "model/engine/adaptive_network.h"

namespace anybit::server {

class IdleNetwork {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<int> predicted)>;

  // `network` outlives this. Memory and threads for its runs are made when the first row comes. After `done` had no
  // memory it is called again after `pause`.
  IdleNetwork(const model::AdaptiveNetwork& network, PointId point, Duration pause = std::chrono::milliseconds(100));
  // Finishes the row that runs; one that waits is dropped.
  ~IdleNetwork();
  IdleNetwork(const IdleNetwork&) = delete;
  IdleNetwork& operator=(const IdleNetwork&) = delete;

  // Runs a row (input elements, a code each). `done` gets the predicted class, on the thread. FailedPrecondition if the
  // network would have to prepare the point: batches of other points would lose what they run with, or wait. Where
  // `done` throws std::bad_alloc it is called again later, until it does not. One at a time. Any thread.
  void Run(std::string input, Done done);

 private:
  struct Job {
    std::string input;
    Done done;
  };

  void Work();
  void Tell(Job& job);
  absl::StatusOr<int> Predict(const std::string& input);

  const model::AdaptiveNetwork& network_;
  const PointId point_;
  const Duration pause_;
  // The thread only.
  std::unique_ptr<model::AdaptiveNetwork::Scratch> scratch_;
  std::vector<float> output_;

  absl::Mutex mutex_;
  std::optional<Job> job_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LIVE_ACCURACY_IDLE_NETWORK_H_
