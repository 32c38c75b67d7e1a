#include "client/load_generator.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "base/statistics.h"

namespace anybit::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

bool IsAnswered(Ending ending) { return ending == Ending::kAttained || ending == Ending::kLate; }

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

std::vector<CallOutcome> RunLoad(InferenceClient& client, std::span<const PlannedCall> plan, const LoadSource& source,
                                 const Interruption& interruption) {
  std::vector<CallOutcome> outcomes(plan.size(), {.ending = Ending::kUnended});
  absl::BlockingCounter under_way(static_cast<int>(plan.size()));
  const SteadyClock::time_point start = SteadyClock::now();
  for (size_t i = 0; i < plan.size(); ++i) {
    const SteadyClock::time_point planned = start + plan[i].at;
    if (interruption.WaitUntil(planned)) {
      for (; i < plan.size(); ++i) under_way.DecrementCount();
      break;
    }
    InferOptions request = source.request;
    request.deadline = DeadlineLeft(request.deadline, SteadyClock::now() - planned);
    client.InferAsync(source.images.image(plan[i].image), request, [&, i, planned](absl::StatusOr<InferResult> answer) {
      const bool cancelled = interruption.signal() != 0 && answer.status().code() == absl::StatusCode::kCancelled;
      if (!cancelled) {
        outcomes[i] = JudgeCall(answer, SteadyClock::now() - planned, source.request.deadline);
      }
      under_way.DecrementCount();
    });
  }
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

std::vector<StepReport> ReportLoad(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                                   std::span<const CallOutcome> outcomes, std::span<const uint8_t> labels) {
  struct Sums {
    std::vector<std::chrono::nanoseconds> latencies;
    int64_t accuracy_bp = 0;
    int64_t with_accuracy = 0;
    int64_t right = 0;
  };
  std::vector<StepReport> reports(steps.size());
  std::vector<Sums> sums(steps.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    StepReport& report = reports[plan[i].step];
    Sums& sum = sums[plan[i].step];
    const CallOutcome& outcome = outcomes[i];
    if (outcome.ending == Ending::kUnended) {
      report.complete = false;
      continue;
    }
    ++report.offered;
    ++report.endings[outcome.ending];
    if (!IsAnswered(outcome.ending)) continue;
    ++report.points[outcome.operating_point];
    sum.latencies.push_back(outcome.latency);
    if (outcome.ending != Ending::kAttained) continue;
    if (outcome.expected_accuracy_bp) {
      sum.accuracy_bp += *outcome.expected_accuracy_bp;
      ++sum.with_accuracy;
    }
    sum.right += !labels.empty() && outcome.top_class == labels[plan[i].image];
  }
  for (size_t s = 0; s < steps.size(); ++s) {
    StepReport& report = reports[s];
    Sums& sum = sums[s];
    report.calls_per_second = steps[s].calls_per_second;
    const int64_t attained = report.endings[Ending::kAttained];
    if (report.offered > 0) report.attainment = static_cast<double>(attained) / static_cast<double>(report.offered);
    if (sum.with_accuracy > 0) {
      report.expected_accuracy = static_cast<double>(sum.accuracy_bp) / 1e4 / static_cast<double>(sum.with_accuracy);
    }
    if (!labels.empty() && attained > 0) report.top1 = static_cast<double>(sum.right) / static_cast<double>(attained);
    if (!sum.latencies.empty()) {
      report.p50 = Quantile(sum.latencies, 0.50);
      report.p99 = Quantile(sum.latencies, 0.99);
    }
  }
  if (std::any_of(reports.begin(), reports.end(), [](const StepReport& report) { return !report.complete; })) {
    while (!reports.empty() && reports.back().offered == 0) reports.pop_back();
  }
  return reports;
}

}  // namespace anybit::client
