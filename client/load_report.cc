#include "client/load_report.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/statistics.h"

namespace anybit::client {
namespace {

using std::chrono::nanoseconds;

// A figure over time shows a few dozen points well; shorter intervals hold too few calls for a percentile.
constexpr int kMaxIntervals = 120;
constexpr nanoseconds kMinInterval = std::chrono::milliseconds(250);

bool IsAnswered(Ending ending) { return ending == Ending::kAttained || ending == Ending::kLate; }

// Collects the outcomes of a set of calls.
class Collected {
 public:
  void Add(const PlannedCall& call, const CallOutcome& outcome, std::span<const uint8_t> labels) {
    ++summary_.offered;
    ++summary_.endings[outcome.ending];
    has_labels_ = !labels.empty();
    if (!IsAnswered(outcome.ending)) return;
    ++summary_.points[outcome.operating_point];
    latencies_.push_back(outcome.latency);
    if (outcome.ending != Ending::kAttained) return;
    if (outcome.expected_accuracy_bp) {
      accuracy_bp_ += *outcome.expected_accuracy_bp;
      ++with_accuracy_;
    }
    right_ += has_labels_ && outcome.top_class == labels[static_cast<size_t>(call.image)];
  }

  // Once.
  CallSummary Take() {
    const int64_t attained = summary_.CountOf(Ending::kAttained);
    if (summary_.offered > 0) {
      summary_.attainment = static_cast<double>(attained) / static_cast<double>(summary_.offered);
    }
    if (with_accuracy_ > 0) {
      summary_.expected_accuracy = static_cast<double>(accuracy_bp_) / 1e4 / static_cast<double>(with_accuracy_);
    }
    if (has_labels_ && attained > 0) summary_.top1 = static_cast<double>(right_) / static_cast<double>(attained);
    if (!latencies_.empty()) {
      summary_.p50 = Quantile(latencies_, 0.50);
      summary_.p90 = Quantile(latencies_, 0.90);
      summary_.p99 = Quantile(latencies_, 0.99);
      summary_.p999 = Quantile(latencies_, 0.999);
      summary_.max = Quantile(latencies_, 1);
    }
    return std::move(summary_);
  }

 private:
  CallSummary summary_;
  std::vector<nanoseconds> latencies_;
  bool has_labels_ = false;
  int64_t accuracy_bp_ = 0;
  int64_t with_accuracy_ = 0;
  int64_t right_ = 0;
};

std::vector<StepReport> ReportSteps(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                                    std::span<const CallOutcome> outcomes, const ReportOptions& options) {
  std::vector<StepReport> reports(steps.size());
  std::vector<Collected> all(steps.size());
  std::vector<std::vector<Collected>> by_kind(steps.size(), std::vector<Collected>(static_cast<size_t>(options.kinds)));
  std::vector<std::vector<nanoseconds>> delays(steps.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    const auto step = static_cast<size_t>(plan[i].step);
    if (outcomes[i].ending == Ending::kUnended) {
      reports[step].complete = false;
      continue;
    }
    all[step].Add(plan[i], outcomes[i], options.labels);
    by_kind[step][static_cast<size_t>(plan[i].kind)].Add(plan[i], outcomes[i], options.labels);
    delays[step].push_back(outcomes[i].send_delay);
  }
  for (size_t s = 0; s < steps.size(); ++s) {
    StepReport& report = reports[s];
    static_cast<CallSummary&>(report) = all[s].Take();
    for (Collected& kind : by_kind[s]) report.kinds.push_back(kind.Take());
    report.calls_per_second = steps[s].calls_per_second;
    report.duration = steps[s].duration;
    if (!delays[s].empty()) report.send_delay_p99 = Quantile(delays[s], 0.99);
    report.client_limited = report.send_delay_p99 > options.send_delay_limit;
  }
  if (std::any_of(reports.begin(), reports.end(), [](const StepReport& report) { return !report.complete; })) {
    while (!reports.empty() && reports.back().offered == 0) reports.pop_back();
  }
  return reports;
}

// Up to the last interval of which a call ended.
std::vector<Interval> ReportTimeline(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                                     std::span<const CallOutcome> outcomes, std::span<const uint8_t> labels) {
  std::vector<Interval> intervals;
  std::vector<size_t> first_of_step;
  nanoseconds begin{0};
  for (size_t s = 0; s < steps.size(); ++s) {
    first_of_step.push_back(intervals.size());
    const int parts = static_cast<int>(std::clamp<int64_t>(steps[s].duration / kMinInterval, 1,
                                                           std::max<int64_t>(1, kMaxIntervals / std::ssize(steps))));
    for (int part = 0; part < parts; ++part) {
      Interval interval;
      interval.step = static_cast<int>(s);
      interval.begin = begin + steps[s].duration * part / parts;
      interval.duration = steps[s].duration / parts;
      intervals.push_back(std::move(interval));
    }
    begin += steps[s].duration;
  }
  std::vector<Collected> collected(intervals.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    if (outcomes[i].ending == Ending::kUnended) continue;
    size_t place = first_of_step[static_cast<size_t>(plan[i].step)];
    while (place + 1 < intervals.size() && intervals[place + 1].begin <= plan[i].at) ++place;
    collected[place].Add(plan[i], outcomes[i], labels);
  }
  for (size_t i = 0; i < intervals.size(); ++i) static_cast<CallSummary&>(intervals[i]) = collected[i].Take();
  while (!intervals.empty() && intervals.back().offered == 0) intervals.pop_back();
  return intervals;
}

std::vector<PointAccuracy> PointsOf(std::span<const CallOutcome> outcomes) {
  std::map<std::string, std::optional<double>> accuracies;
  for (const CallOutcome& outcome : outcomes) {
    if (!IsAnswered(outcome.ending)) continue;
    std::optional<double>& accuracy = accuracies[outcome.operating_point];
    if (outcome.expected_accuracy_bp) accuracy = static_cast<double>(*outcome.expected_accuracy_bp) / 1e4;
  }
  std::vector<PointAccuracy> points;
  points.reserve(accuracies.size());
  for (const auto& [point, accuracy] : accuracies) points.push_back({point, accuracy});
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.expected > b.expected; });
  return points;
}

}  // namespace

nanoseconds SendDelayLimit(std::span<const nanoseconds> deadlines) {
  nanoseconds shortest{0};
  for (const nanoseconds deadline : deadlines) {
    if (deadline.count() > 0 && (shortest.count() == 0 || deadline < shortest)) shortest = deadline;
  }
  return std::max<nanoseconds>(std::chrono::milliseconds(2), shortest / 20);
}

LoadReport ReportLoad(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                      std::span<const CallOutcome> outcomes, const ReportOptions& options) {
  LoadReport report{.steps = ReportSteps(steps, plan, outcomes, options),
                    .timeline = ReportTimeline(steps, plan, outcomes, options.labels),
                    .points = PointsOf(outcomes)};
  for (const CallOutcome& outcome : outcomes) {
    if (IsAnswered(outcome.ending)) report.latencies.push_back(outcome.latency);
  }
  std::sort(report.latencies.begin(), report.latencies.end());
  return report;
}

}  // namespace anybit::client
