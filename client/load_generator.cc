#include "client/load_generator.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"

namespace anybit::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A call sent late has less time left than it was planned with. Never zero: that would mean no deadline.
std::chrono::microseconds DeadlineLeft(std::chrono::microseconds deadline, std::chrono::nanoseconds late_by) {
  if (deadline.count() == 0) return deadline;
  return std::max(std::chrono::microseconds(1),
                  std::chrono::duration_cast<std::chrono::microseconds>(deadline - late_by));
}

bool IsRefusal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted || status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

CallOutcome JudgeCall(const absl::StatusOr<InferResult>& answer, std::chrono::nanoseconds latency,
                      std::chrono::nanoseconds deadline) {
  CallOutcome outcome{.latency = latency};
  if (!answer.ok()) {
    outcome.ending = answer.status().code() == absl::StatusCode::kResourceExhausted  ? Ending::kShed
                     : answer.status().code() == absl::StatusCode::kDeadlineExceeded ? Ending::kExpired
                                                                                     : Ending::kFailed;
    return outcome;
  }
  const bool in_time = deadline.count() == 0 || latency <= deadline;
  outcome.ending = in_time ? Ending::kAttained : Ending::kLate;
  outcome.top_class = TopOf(answer->logits).index;
  outcome.operating_point = answer->served.operating_point;
  outcome.expected_accuracy_bp = answer->served.expected_accuracy_bp;
  return outcome;
}

std::vector<CallOutcome> RunLoad(const Senders& senders, std::span<const PlannedCall> plan, const GrayImages& images,
                                 std::span<const InferOptions> requests, const Interruption& interruption) {
  std::vector<CallOutcome> outcomes(plan.size(), {.ending = Ending::kUnended});
  absl::BlockingCounter under_way(static_cast<int>(plan.size()));
  const SteadyClock::time_point start = SteadyClock::now();
  const auto send = [&](size_t i) {
    const SteadyClock::time_point planned = start + plan[i].at;
    const InferOptions& kind = requests[static_cast<size_t>(plan[i].kind)];
    const std::chrono::nanoseconds delay = SteadyClock::now() - planned;
    InferOptions request = kind;
    request.deadline = DeadlineLeft(kind.deadline, delay);
    const auto ended = [&, i, planned, delay](const absl::StatusOr<InferResult>& answer) {
      const bool cancelled = interruption.signal() != 0 && answer.status().code() == absl::StatusCode::kCancelled;
      if (!cancelled) {
        CallOutcome outcome =
            JudgeCall(answer, SteadyClock::now() - planned, requests[static_cast<size_t>(plan[i].kind)].deadline);
        outcome.send_delay = delay;
        if (senders.on_end != nullptr) senders.on_end(plan[i], outcome);
        outcomes[i] = std::move(outcome);
      }
      under_way.DecrementCount();
    };
    senders.clients[i % senders.clients.size()]->InferAsync(images.image(plan[i].image), request, ended);
  };
  const auto send_every = [&](size_t first, size_t step) {
    for (size_t i = first; i < plan.size(); i += step) {
      if (interruption.WaitUntil(start + plan[i].at)) {
        for (; i < plan.size(); i += step) under_way.DecrementCount();
        return;
      }
      send(i);
    }
  };
  std::vector<std::thread> others;
  const auto threads = static_cast<size_t>(senders.threads);
  others.reserve(threads);
  for (size_t t = 1; t < threads; ++t) others.emplace_back(send_every, t, threads);
  send_every(0, threads);
  for (std::thread& thread : others) thread.join();
  under_way.Wait();
  return outcomes;
}

absl::StatusOr<double> MeasureCapacity(InferenceClient& client, const LoadSource& source, int callers,
                                       std::chrono::nanoseconds duration) {
  // The last caller's, between refusals.
  constexpr std::chrono::milliseconds kPause(5);
  struct {
    absl::Mutex mutex;
    int64_t answers ABSL_GUARDED_BY(mutex) = 0;
    int callers ABSL_GUARDED_BY(mutex);
    absl::Status refusal ABSL_GUARDED_BY(mutex);
    absl::Status error ABSL_GUARDED_BY(mutex);
  } shared{.callers = callers};
  // Whether the caller asks again.
  const auto record = [&](const absl::Status& status) {
    absl::MutexLock lock(&shared.mutex);
    if (status.ok()) {
      ++shared.answers;
    } else if (IsRefusal(status)) {
      shared.refusal = status;
      if (shared.callers > 1) {
        --shared.callers;
        return false;
      }
    } else if (shared.error.ok()) {
      shared.error = status;
    }
    return shared.error.ok();
  };
  const SteadyClock::time_point start = SteadyClock::now();
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t) {
    threads.emplace_back([&, t] {
      int image = t;
      do {
        const absl::Status status =
            client.Infer(source.images.image(image % source.images.count), source.request).status();
        if (!record(status)) return;
        if (!status.ok()) std::this_thread::sleep_for(kPause);
        image += callers;
      } while (SteadyClock::now() < start + duration);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  absl::MutexLock lock(&shared.mutex);
  if (!shared.error.ok()) return shared.error;
  if (shared.answers == 0) {
    return absl::Status(shared.refusal.code(), absl::StrCat("no call was answered: ", shared.refusal.message()));
  }
  return static_cast<double>(shared.answers) / seconds;
}

}  // namespace anybit::client
