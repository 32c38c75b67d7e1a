#include "client/feedback_reporter.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace anybit::client {
namespace {

constexpr std::chrono::seconds kPeriod(1);

// The service takes twice as many; a message of them stays far below any server's limit.
constexpr size_t kMaxAnswers = 5000;

}  // namespace

FeedbackReporter::FeedbackReporter(InferenceClient& client, std::span<const uint8_t> labels)
    : client_(client), labels_(labels), thread_([this] { Run(); }) {}

FeedbackReporter::~FeedbackReporter() { End().IgnoreError(); }

void FeedbackReporter::Count(const PlannedCall& call, const CallOutcome& outcome) {
  if (outcome.top_class < 0) return;
  LabelledAnswer answer{.operating_point = outcome.operating_point,
                        .predicted = outcome.top_class,
                        .label = labels_[static_cast<size_t>(call.image)]};
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
}

absl::Status FeedbackReporter::End() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  return status_;
}

void FeedbackReporter::Run() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    last = changed_.wait_for(lock, kPeriod, [this] { return ends_; });
    const std::vector<LabelledAnswer> answers = std::exchange(answers_, {});
    lock.unlock();
    Send(answers);
    lock.lock();
  }
}

void FeedbackReporter::Send(std::span<const LabelledAnswer> answers) {
  while (!answers.empty() && status_.ok()) {
    const size_t count = std::min(answers.size(), kMaxAnswers);
    status_ = client_.Report(answers.first(count));
    answers = answers.subspan(count);
  }
}

}  // namespace anybit::client
