#include "scheduler/sim/report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scheduler/sim/sweep.h"

namespace anybit::scheduler::sim {
namespace {

// As short as it can be without loss: no fraction for whole microseconds.
std::string Microseconds(MonoTime time) {
  const int64_t nanoseconds = time.time_since_epoch().count();
  std::string text = absl::StrFormat("%s%d", nanoseconds < 0 ? "-" : "", std::abs(nanoseconds / 1000));
  const int64_t rest = std::abs(nanoseconds % 1000);
  if (rest == 0) return text;
  absl::StrAppendFormat(&text, ".%03d", rest);
  return text.substr(0, text.find_last_not_of('0') + 1);
}

struct Row {
  std::string name;
  std::vector<std::string> cells;  // by policy; empty: no such number
};

std::string Percent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }
std::string Milliseconds(Duration time) { return absl::StrFormat("%.2f ms", 1e3 * ToSeconds(time)); }

}  // namespace

std::string OutcomesCsv(const PointTable& points, std::span<const OfferedRequest> requests,
                        const SimulationResult& result) {
  std::string csv = "id,outcome,point,batch,start_us,finish_us\n";
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return requests[a].place < requests[b].place; });
  for (const size_t i : order) {
    const RequestRecord& record = result.requests[i];
    absl::StrAppend(&csv, requests[i].id, ",", OutcomeName(record.kind), ",");
    if (record.kind == OutcomeKind::kServed) {
      absl::StrAppend(&csv, points[static_cast<size_t>(ToIndex(record.point))].name, ",", record.batch_rows, ",",
                      Microseconds(record.start), ",", Microseconds(record.finish), "\n");
    } else {
      csv += ",,,\n";
    }
  }
  return csv;
}

std::string SummaryTable(const PointTable& points, std::span<const PolicyReport> reports,
                         const std::optional<UtilityBound>& bound) {
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const std::function<std::string(const Summary&)>& cell) {
    Row& row = rows.emplace_back(Row{.name = name});
    for (const PolicyReport& report : reports) row.cells.push_back(cell(report.summary));
  };
  rows.push_back({.name = "policy"});
  for (const PolicyReport& report : reports) rows.front().cells.push_back(report.policy);

  add("offered", [](const Summary& s) { return absl::StrCat(s.offered); });
  add("in time", [](const Summary& s) { return absl::StrCat(s.attained); });
  add("late", [](const Summary& s) { return absl::StrCat(s.late); });
  add("shed", [](const Summary& s) { return absl::StrCat(s.shed); });
  add("expired", [](const Summary& s) { return absl::StrCat(s.expired); });
  add("attainment", [](const Summary& s) { return Percent(s.attainment); });
  add("served accuracy", [](const Summary& s) { return s.served_accuracy ? Percent(*s.served_accuracy) : ""; });
  add("utility", [](const Summary& s) { return absl::StrFormat("%.5f", s.utility); });
  if (bound.has_value()) {
    add(bound->exact ? "bound (exact)" : "bound (upper)", [&](const Summary& s) {
      return s.offered == 0 ? "" : absl::StrFormat("%.5f", bound->sum / static_cast<double>(s.offered));
    });
    add("utility / bound", [&](const Summary& s) {
      const std::optional<double> relative = UtilityOverBound(s, bound);
      return relative ? absl::StrFormat("%.5f", *relative) : "";
    });
  }
  add("goodput", [](const Summary& s) { return absl::StrFormat("%.1f/s", s.goodput); });
  const std::pair<const char*, Duration LatencyQuantiles::*> quantiles[] = {{"latency p50", &LatencyQuantiles::p50},
                                                                            {"latency p90", &LatencyQuantiles::p90},
                                                                            {"latency p99", &LatencyQuantiles::p99},
                                                                            {"latency p99.9", &LatencyQuantiles::p999}};
  for (const auto& [name, of] : quantiles) {
    add(name, [of = of](const Summary& s) { return s.latency ? Milliseconds((*s.latency).*of) : ""; });
  }
  for (size_t p = 0; p < points.size(); ++p) {
    add(absl::StrCat("  at ", points[p].name), [p](const Summary& s) {
      if (s.attained == 0) return std::string();
      return Percent(static_cast<double>(s.attained_by_point[p]) / static_cast<double>(s.attained));
    });
  }
  add("mean batch", [](const Summary& s) { return absl::StrFormat("%.2f", s.mean_batch); });
  add("point switches", [](const Summary& s) { return absl::StrFormat("%.1f/s", s.switches_per_second); });
  add("tenants' fairness", [](const Summary& s) { return s.fairness ? absl::StrFormat("%.4f", *s.fairness) : ""; });
  const auto nanoseconds = [](std::optional<int32_t> time) { return time ? absl::StrCat(*time, " ns") : ""; };
  add("decision p50", [&](const Summary& s) { return nanoseconds(s.decision_p50_ns); });
  add("decision p99", [&](const Summary& s) { return nanoseconds(s.decision_p99_ns); });
  add("decisions replaced",
      [](const Summary& s) { return s.replaced_decisions > 0 ? absl::StrCat(s.replaced_decisions) : ""; });

  size_t width = 12;
  for (const PolicyReport& report : reports) width = std::max(width, report.policy.size());
  std::string text;
  for (const Row& row : rows) {
    // What no policy has says nothing.
    if (std::all_of(row.cells.begin(), row.cells.end(), [](const std::string& cell) { return cell.empty(); })) continue;
    absl::StrAppendFormat(&text, "%-18s", row.name);
    for (const std::string& cell : row.cells) absl::StrAppendFormat(&text, "  %*s", static_cast<int>(width), cell);
    text += "\n";
  }
  return text;
}

}  // namespace anybit::scheduler::sim
