// Tells the server the true classes of its answers while a load runs, so that its metrics show the true accuracy.
#ifndef ANYBIT_CLIENT_FEEDBACK_REPORTER_H_
#define ANYBIT_CLIENT_FEEDBACK_REPORTER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "client/inference_client.h"
#include "client/load_generator.h"
#include "client/load_plan.h"

namespace anybit::client {

// Reports once a second, on a thread of its own.
class FeedbackReporter {
 public:
  // Both outlive it. `labels` has one for each image.
  FeedbackReporter(InferenceClient& client, std::span<const uint8_t> labels);
  ~FeedbackReporter();
  FeedbackReporter(const FeedbackReporter&) = delete;
  FeedbackReporter& operator=(const FeedbackReporter&) = delete;

  // Any thread; does not block for the network. Calls without an answer are not reported.
  void Count(const PlannedCall& call, const CallOutcome& outcome);

  // Reports what is left, once. The first error of the server, after which nothing more was reported.
  absl::Status End();

 private:
  void Run();
  void Send(std::span<const LabelledAnswer> answers);

  InferenceClient& client_;
  const std::span<const uint8_t> labels_;

  std::mutex mutex_;  // not absl's, whose deadlines follow the wall clock
  std::condition_variable changed_;
  bool ends_ = false;                    // guarded by mutex_
  std::vector<LabelledAnswer> answers_;  // not reported yet; guarded by mutex_

  absl::Status status_;  // of thread_, until it has ended
  std::thread thread_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_FEEDBACK_REPORTER_H_
