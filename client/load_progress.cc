#include "client/load_progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/statistics.h"

namespace anybit::client {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kPeriod(500);

// To the line's begin, without wrapping at the terminal's edge; then the rest of the line is cleared.
constexpr char kBegin[] = "\r\x1b[?7l";
constexpr char kEnd[] = "\x1b[K\x1b[?7h";

double Seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }
double Milliseconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

}  // namespace

void LoadProgress::Count(const CallOutcome& outcome) {
  absl::MutexLock lock(&mutex_);
  ++window_.endings[outcome.ending];
  if (outcome.ending != Ending::kAttained && outcome.ending != Ending::kLate) return;
  ++window_.points[outcome.operating_point];
  window_.latencies.push_back(outcome.latency);
}

std::string LoadProgress::Tell(nanoseconds since_start) {
  Window window;
  {
    absl::MutexLock lock(&mutex_);
    std::swap(window, window_);
  }
  size_t step = 0;
  nanoseconds total{0};
  for (const LoadStep& each : steps_) {
    total += each.duration;
    if (since_start >= total) ++step;
  }
  step = std::min(step, steps_.size() - 1);
  std::string line = absl::StrFormat("%.0f of %.0f s  step %d of %d: %.6g/s", Seconds(std::min(since_start, total)),
                                     Seconds(total), step + 1, steps_.size(), steps_[step].calls_per_second);
  int64_t ended = 0;
  for (const auto& [ending, count] : window.endings) ended += count;
  if (ended == 0) return line + "  no call ended";
  const int64_t refused = window.endings[Ending::kShed] + window.endings[Ending::kExpired];
  absl::StrAppendFormat(&line, "  in time %.1f %%",
                        100. * static_cast<double>(window.endings[Ending::kAttained]) / static_cast<double>(ended));
  for (const auto& [count, name] : {std::pair(window.endings[Ending::kLate], "late"), std::pair(refused, "refused"),
                                    std::pair(window.endings[Ending::kFailed], "failed")}) {
    if (count > 0) absl::StrAppendFormat(&line, "  %s %d", name, count);
  }
  if (window.latencies.empty()) return line;
  const auto answers = static_cast<double>(window.latencies.size());
  absl::StrAppendFormat(&line, "  p50 %.1f p99 %.1f ms ", Milliseconds(Quantile(window.latencies, 0.5)),
                        Milliseconds(Quantile(window.latencies, 0.99)));
  std::vector<std::pair<std::string, int64_t>> points(window.points.begin(), window.points.end());
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [point, count] : points) {
    absl::StrAppendFormat(&line, " %s %.0f %%", point, 100 * static_cast<double>(count) / answers);
  }
  return line;
}

ProgressLine::ProgressLine(std::ostream& terminal, std::function<std::string()> tell)
    : terminal_(terminal), tell_(std::move(tell)), thread_([this] { Run(); }) {}

ProgressLine::~ProgressLine() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    changed_.notify_all();
  }
  thread_.join();
  terminal_ << kBegin << kEnd << std::flush;
}

void ProgressLine::Run() {
  std::unique_lock lock(mutex_);
  for (auto next = std::chrono::steady_clock::now() + kPeriod;
       !changed_.wait_until(lock, next, [this] { return ends_; }); next += kPeriod) {
    terminal_ << kBegin << tell_() << kEnd << std::flush;
  }
}

}  // namespace anybit::client
