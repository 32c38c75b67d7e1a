#include "client/load_output.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/json_line.h"

namespace anybit::client {
namespace {

using std::chrono::nanoseconds;

double Milliseconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }
double Seconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e9; }

std::string Percent(std::optional<double> share) { return share ? absl::StrFormat("%.2f %%", 100 * *share) : "-"; }

// The members of any set of calls.
JsonLine& AddSummary(JsonLine& line, const CallSummary& summary) {
  JsonLine points;
  for (const auto& [point, answers] : summary.points) points.Add(point, answers);
  return line.Add("offered", summary.offered)
      .Add("attained", summary.CountOf(Ending::kAttained))
      .Add("late", summary.CountOf(Ending::kLate))
      .Add("shed", summary.CountOf(Ending::kShed))
      .Add("expired", summary.CountOf(Ending::kExpired))
      .Add("failed", summary.CountOf(Ending::kFailed))
      .Add("attainment", summary.attainment)
      .Add("expected_accuracy", summary.expected_accuracy)
      .Add("top1", summary.top1)
      .Add("p50_ms", Milliseconds(summary.p50))
      .Add("p90_ms", Milliseconds(summary.p90))
      .Add("p99_ms", Milliseconds(summary.p99))
      .Add("p999_ms", Milliseconds(summary.p999))
      .Add("max_ms", Milliseconds(summary.max))
      .Add("operating_points", points);
}

std::string TableRow(const std::string& name, const CallSummary& summary) {
  // The most used operating point first.
  std::vector<std::pair<std::string, int64_t>> points(summary.points.begin(), summary.points.end());
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return absl::StrFormat("%10s %8d %8d %7d %7d %7d %7d %9s %9s %9s %9.2f %9.2f  %s\n", name, summary.offered,
                         summary.CountOf(Ending::kAttained), summary.CountOf(Ending::kLate),
                         summary.CountOf(Ending::kShed), summary.CountOf(Ending::kExpired),
                         summary.CountOf(Ending::kFailed), Percent(summary.attainment),
                         Percent(summary.expected_accuracy), Percent(summary.top1), Milliseconds(summary.p50),
                         Milliseconds(summary.p99), absl::StrJoin(points, " ", absl::PairFormatter(":")));
}

std::string CsvText(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string CsvShare(std::optional<double> share) { return share ? absl::StrFormat("%.4f", *share) : ""; }

}  // namespace

std::string StepName(const LoadSent& sent, const StepReport& step) {
  if (sent.capacity) return absl::StrFormat("%.3gx", step.calls_per_second / *sent.capacity);
  return absl::StrFormat("%.6g/s", step.calls_per_second);
}

std::string TrafficName(const LoadOptions& options) {
  if (options.replays()) return absl::StrCat("replay of ", options.arrival_times, options.azure);
  return absl::StrCat(options.workload, " arrivals");
}

std::string LoadTable(const LoadSent& sent, const LoadReport& report) {
  std::string table;
  if (sent.capacity) absl::StrAppendFormat(&table, "capacity %.1f calls/s\n", *sent.capacity);
  absl::StrAppendFormat(&table, "%10s %8s %8s %7s %7s %7s %7s %9s %9s %9s %9s %9s  %s\n", "calls/s", "offered",
                        "attained", "late", "shed", "expired", "failed", "attained", "expected", "top-1", "p50 ms",
                        "p99 ms", "answers by operating point");
  for (const StepReport& step : report.steps) {
    table += TableRow(absl::StrFormat("%.1f", step.calls_per_second), step);
    if (step.kinds.size() < 2) continue;
    for (size_t k = 0; k < step.kinds.size(); ++k) table += TableRow(sent.kinds[k].name, step.kinds[k]);
  }
  return table;
}

std::string LoadJson(const LoadSent& sent, const LoadReport& report) {
  std::string json;
  for (size_t s = 0; s < report.steps.size(); ++s) {
    const StepReport& step = report.steps[s];
    JsonLine line;
    line.Add("step", s)
        .Add("calls_per_second", step.calls_per_second)
        .Add("capacity", sent.capacity)
        .Add("seconds", Seconds(step.duration))
        .Add("deadline_ms", static_cast<double>(sent.options.request.deadline.count()) / 1000)
        .Add("seed", sent.options.seed);
    AddSummary(line, step)
        .Add("send_delay_p99_ms", Milliseconds(step.send_delay_p99))
        .Add("client_limited", step.client_limited);
    if (step.kinds.size() > 1) {
      JsonLine kinds;
      for (size_t k = 0; k < step.kinds.size(); ++k) {
        JsonLine kind;
        kinds.Add(sent.kinds[k].name, AddSummary(kind, step.kinds[k]));
      }
      line.Add("mix", kinds);
    }
    absl::StrAppend(&json, line.Add("complete", step.complete).text(), "\n");
  }
  return json;
}

std::string LoadCsv(const LoadReport& report) {
  std::string csv =
      "step,begin_s,seconds,offered,attained,late,shed,expired,failed,expected_accuracy,top1,"
      "p50_ms,p90_ms,p99_ms,p999_ms,max_ms";
  for (const PointAccuracy& point : report.points) absl::StrAppend(&csv, ",", CsvText("answers_" + point.point));
  csv += "\n";
  for (const Interval& interval : report.timeline) {
    absl::StrAppendFormat(&csv, "%d,%.3f,%.3f,%d,%d,%d,%d,%d,%d,%s,%s,%.3f,%.3f,%.3f,%.3f,%.3f", interval.step,
                          Seconds(interval.begin), Seconds(interval.duration), interval.offered,
                          interval.CountOf(Ending::kAttained), interval.CountOf(Ending::kLate),
                          interval.CountOf(Ending::kShed), interval.CountOf(Ending::kExpired),
                          interval.CountOf(Ending::kFailed), CsvShare(interval.expected_accuracy),
                          CsvShare(interval.top1), Milliseconds(interval.p50), Milliseconds(interval.p90),
                          Milliseconds(interval.p99), Milliseconds(interval.p999), Milliseconds(interval.max));
    for (const PointAccuracy& point : report.points) {
      const auto answers = interval.points.find(point.point);
      absl::StrAppend(&csv, ",", answers == interval.points.end() ? 0 : answers->second);
    }
    csv += "\n";
  }
  return csv;
}

std::string LoadPercentiles(const LoadReport& report) {
  constexpr int kRowsPerHalving = 5;
  std::string text =
      absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  const std::vector<nanoseconds>& latencies = report.latencies;
  const auto count = static_cast<double>(latencies.size());
  double share = 0;
  for (int row = 0; share < 1 && !latencies.empty(); ++row) {
    const double rest = std::exp2(-row / kRowsPerHalving);
    share = 1 - rest + rest / 2 * (row % kRowsPerHalving) / kRowsPerHalving;
    // No call lies between the last two of them.
    if ((1 - share) * count < 1) share = 1;
    const auto rank = static_cast<size_t>(std::clamp(std::ceil(share * count - 1e-9), 1.0, count));
    absl::StrAppendFormat(&text, "%12.3f %14.12f %10d", Milliseconds(latencies[rank - 1]), share, rank);
    text += share < 1 ? absl::StrFormat(" %14.2f\n", 1 / (1 - share)) : "\n";
  }
  double sum = 0;
  double squares = 0;
  for (const nanoseconds latency : latencies) sum += Milliseconds(latency);
  const double mean = latencies.empty() ? 0 : sum / count;
  for (const nanoseconds latency : latencies) squares += std::pow(Milliseconds(latency) - mean, 2);
  const double deviation = latencies.empty() ? 0 : std::sqrt(squares / count);
  absl::StrAppendFormat(&text, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean, deviation);
  absl::StrAppendFormat(&text, "#[Max     = %12.3f, Total count    = %12d]\n",
                        latencies.empty() ? 0 : Milliseconds(latencies.back()), latencies.size());
  return text;
}

std::string ClientLimitWarning(const LoadReport& report) {
  std::vector<std::string> limited;
  for (size_t s = 0; s < report.steps.size(); ++s) {
    const StepReport& step = report.steps[s];
    if (!step.client_limited) continue;
    limited.push_back(absl::StrFormat("%d (%.1f ms)", s + 1, Milliseconds(step.send_delay_p99)));
  }
  if (limited.empty()) return "";
  return absl::StrCat("the client was a bottleneck: 1 in 100 calls was sent too late in ",
                      limited.size() == 1 ? "step " : "steps ", absl::StrJoin(limited, ", "),
                      "; latencies there include the delay; use more --threads, or another machine");
}

}  // namespace anybit::client
