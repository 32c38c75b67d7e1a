#include "scheduler/sim/sweep_report.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/statistics.h"
#include "report/charts.h"
#include "report/markdown_table.h"

namespace anybit::scheduler::sim {
namespace {

using report::Area;
using report::Axis;
using report::DrawSvg;
using report::Figure;
using report::Line;
using report::LineColour;
using report::MarkdownTable;
using report::Panel;
using report::RoundAxis;
using report::ShadeOf;

// Something of a run that may not be there.
using Measure = std::function<std::optional<double>(const SweepRun&)>;

std::optional<double> Relative(const SweepRun& run) { return UtilityOverBound(run.summary, run.bound); }
std::optional<double> Utility(const SweepRun& run) { return run.summary.utility; }
std::optional<double> Attainment(const SweepRun& run) { return run.summary.attainment; }
std::optional<double> ServedAccuracy(const SweepRun& run) { return run.summary.served_accuracy; }

// Utility / bound where there is a bound.
bool HasBound(std::span<const SweepRun> runs) { return !runs.empty() && runs.front().bound.has_value(); }
Measure MainMeasure(std::span<const SweepRun> runs) { return HasBound(runs) ? Relative : Utility; }
std::string MainMeasureName(std::span<const SweepRun> runs) { return HasBound(runs) ? "utility / bound" : "utility"; }

// The different values of `of` over the runs, in the order they first come.
template <typename T>
std::vector<T> Distinct(std::span<const SweepRun> runs, T SweepRun::*of) {
  std::vector<T> values;
  for (const SweepRun& run : runs) {
    if (std::find(values.begin(), values.end(), run.*of) == values.end()) values.push_back(run.*of);
  }
  return values;
}

std::vector<double> Values(std::span<const SweepRun> runs, const Measure& measure,
                           const std::function<bool(const SweepRun&)>& wanted) {
  std::vector<double> values;
  for (const SweepRun& run : runs) {
    if (!wanted(run)) continue;
    if (const std::optional<double> value = measure(run)) values.push_back(*value);
  }
  return values;
}

std::optional<double> Mean(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string Number(std::optional<double> value) { return value ? absl::StrFormat("%.4f", *value) : "-"; }

// A policy's workload table: means over seeds, a column per load.
std::string LoadTable(std::span<const SweepRun> runs, const std::string& workload) {
  const Measure measure = MainMeasure(runs);
  const std::vector<double> loads = Distinct(runs, &SweepRun::load);
  std::vector<std::vector<std::string>> rows = {{"load"}};
  for (const double load : loads) rows.front().push_back(absl::StrCat(load));
  for (const std::string& policy : Distinct(runs, &SweepRun::policy)) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(policy);
    for (const double load : loads) {
      row.push_back(Number(Mean(Values(runs, measure, [&](const SweepRun& run) {
        return run.workload == workload && run.load == load && run.policy == policy;
      }))));
    }
  }
  return MarkdownTable(rows);
}

// The values' range as an axis that leaves out what all have in common.
Axis AxisOf(const std::vector<Line>& lines, const std::string& unit) {
  double low = 1e300, high = -1e300;
  for (const Line& line : lines) {
    for (const auto& [x, y] : line.points) {
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  if (low > high) return RoundAxis(0, 1, unit);
  return RoundAxis(low < high ? low : 0.9 * low, high, unit);
}

Axis LoadAxis(const std::vector<double>& loads) {
  const auto [low, high] = std::minmax_element(loads.begin(), loads.end());
  Axis axis{.low = *low, .high = *high, .logarithmic = true};
  if (!(axis.high > axis.low)) axis.high = axis.low * 2;
  for (const double load : loads) axis.marks.emplace_back(load, absl::StrCat(load));
  return axis;
}

}  // namespace

std::string SweepCsv(std::span<const SweepRun> runs) {
  std::string csv =
      "workload,load,seed,policy,offered,attained,late,shed,expired,attainment,served_accuracy,utility,bound,"
      "bound_exact,utility_over_bound,goodput,p50_ms,p90_ms,p99_ms,p999_ms,mean_batch,switches_per_second,"
      "replaced_decisions\n";
  for (const SweepRun& run : runs) {
    const Summary& s = run.summary;
    const auto real = [](std::optional<double> value) { return value ? absl::StrFormat("%.6g", *value) : ""; };
    const auto latency = [&](Duration LatencyQuantiles::*of) {
      return s.latency ? real(1e3 * ToSeconds((*s.latency).*of)) : "";
    };
    const std::vector<std::string> cells = {run.workload,
                                            absl::StrCat(run.load),
                                            absl::StrCat(run.seed),
                                            run.policy,
                                            absl::StrCat(s.offered),
                                            absl::StrCat(s.attained),
                                            absl::StrCat(s.late),
                                            absl::StrCat(s.shed),
                                            absl::StrCat(s.expired),
                                            real(s.attainment),
                                            real(s.served_accuracy),
                                            real(s.utility),
                                            run.bound ? real(run.bound->sum) : "",
                                            run.bound ? absl::StrCat(run.bound->exact ? 1 : 0) : "",
                                            real(UtilityOverBound(s, run.bound)),
                                            real(s.goodput),
                                            latency(&LatencyQuantiles::p50),
                                            latency(&LatencyQuantiles::p90),
                                            latency(&LatencyQuantiles::p99),
                                            latency(&LatencyQuantiles::p999),
                                            real(s.mean_batch),
                                            real(s.switches_per_second),
                                            absl::StrCat(s.replaced_decisions)};
    absl::StrAppend(&csv, absl::StrJoin(cells, ","), "\n");
  }
  return csv;
}

std::string PolicyTable(std::span<const SweepRun> runs) {
  const Measure measure = MainMeasure(runs);
  struct Row {
    double mean = 0;
    std::vector<std::string> cells;
  };
  std::vector<Row> ranked;
  for (const std::string& policy : Distinct(runs, &SweepRun::policy)) {
    const auto of_policy = [&](const SweepRun& run) { return run.policy == policy; };
    std::vector<double> values = Values(runs, measure, of_policy);
    Row& row = ranked.emplace_back();
    row.cells = {policy};
    if (values.empty()) {
      row.cells.insert(row.cells.end(), 4, "-");
    } else {
      row.mean = *Mean(values);
      for (const double value :
           {row.mean, Quantile(values, .5), Quantile(values, .05), *std::min_element(values.begin(), values.end())}) {
        row.cells.push_back(Number(value));
      }
    }
    row.cells.push_back(Number(Mean(Values(runs, Attainment, of_policy))));
    row.cells.push_back(Number(Mean(Values(runs, ServedAccuracy, of_policy))));
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Row& a, const Row& b) { return a.mean > b.mean; });
  std::vector<std::vector<std::string>> rows = {
      {"policy", MainMeasureName(runs) + ": mean", "median", "p5", "least", "attainment", "served accuracy"}};
  for (Row& row : ranked) rows.push_back(std::move(row.cells));
  return MarkdownTable(rows);
}

std::string SweepMarkdown(const std::string& title, std::span<const SweepRun> runs) {
  std::string page = absl::StrCat("# ", title, "\n\n", PolicyTable(runs));
  for (const std::string& workload : Distinct(runs, &SweepRun::workload)) {
    absl::StrAppend(&page, "\n## ", workload, ": ", MainMeasureName(runs), "\n\n", LoadTable(runs, workload));
  }
  return page;
}

std::string SweepFigure(std::span<const SweepRun> runs, const std::string& caption) {
  struct Chart {
    std::string title;
    Measure measure;
    double scale = 1;
    std::string unit;
  };
  std::vector<Chart> charts;
  if (HasBound(runs)) charts.push_back({.title = "utility / bound", .measure = Relative});
  charts.push_back({.title = "utility: accuracy answered in time, per request offered", .measure = Utility});
  charts.push_back({.title = "answered in time", .measure = Attainment, .scale = 100, .unit = " %"});
  charts.push_back(
      {.title = "accuracy of what was answered in time", .measure = ServedAccuracy, .scale = 100, .unit = " %"});

  const std::vector<double> loads = Distinct(runs, &SweepRun::load);
  const std::vector<std::string> policies = Distinct(runs, &SweepRun::policy);
  Figure figure{.caption = caption};
  // The policies of one point are a family: dashed, their colours after the others'.
  const auto is_fixed = [](const std::string& policy) { return policy.starts_with("fixed:"); };
  const auto fixed = static_cast<size_t>(std::count_if(policies.begin(), policies.end(), is_fixed));
  for (const Chart& chart : charts) {
    Panel& panel = figure.panels.emplace_back();
    panel.title = chart.title;
    panel.x = LoadAxis(loads);
    int next = 0, next_fixed = static_cast<int>(policies.size() - fixed);
    for (const std::string& policy : policies) {
      Line& line = panel.lines.emplace_back();
      line.name = policy;
      line.bold = panel.lines.size() == 1;
      line.dashed = is_fixed(policy);
      line.colour = LineColour(line.dashed ? next_fixed++ : next++);
      for (const double load : loads) {
        const std::optional<double> mean = Mean(
            Values(runs, chart.measure, [&](const SweepRun& run) { return run.load == load && run.policy == policy; }));
        if (mean.has_value()) line.points.emplace_back(load, *mean * chart.scale);
      }
    }
    panel.y = AxisOf(panel.lines, chart.unit);
  }
  for (const Line& line : figure.panels.front().lines) {
    figure.legend.push_back({.name = line.name, .colour = line.colour, .bold = line.bold, .dashed = line.dashed});
  }
  return DrawSvg(figure);
}

std::string TimelineFigure(const PointTable& points, const Timeline& timeline, const std::string& caption) {
  const size_t bins = timeline.offered.size();
  const double seconds = std::max(ToSeconds(timeline.bin), 1e-9);
  const auto per_second = [&](int64_t count) { return static_cast<double>(count) / seconds; };
  const double length = seconds * static_cast<double>(bins);

  Figure figure{.columns = 1, .panel_width = 760, .caption = caption};
  Panel& panel = figure.panels.emplace_back();
  panel.title = "requests per second, by the operating point that answered them in time, over seconds";
  panel.x = RoundAxis(0, length);
  panel.x.high = length;  // the picture ends with the run
  std::erase_if(panel.x.marks, [&](const auto& mark) { return mark.first > length * (1 + 1e-9); });
  const int64_t most = *std::max_element(timeline.offered.begin(), timeline.offered.end());
  panel.y = RoundAxis(0, per_second(most));

  // The most accurate point at the bottom, so that accuracy falls towards the top.
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return points[a].accuracy > points[b].accuracy; });
  for (size_t i = 0; i <= bins; ++i) panel.steps.push_back(seconds * static_cast<double>(i));
  Line offered{.colour = "#1d1d1d", .dots = false};
  for (size_t i = 0; i < bins; ++i) {
    const double height = per_second(timeline.offered[i]);
    offered.points.emplace_back(panel.steps[i], height);
    offered.points.emplace_back(panel.steps[i + 1], height);
  }
  panel.lines.push_back(std::move(offered));
  figure.legend.push_back({.name = "offered", .colour = "#1d1d1d"});
  for (size_t i = 0; i < order.size(); ++i) {
    const std::string colour = ShadeOf(static_cast<int>(i), static_cast<int>(order.size()));
    Area& area = panel.areas.emplace_back();
    area.colour = colour;
    for (const int64_t count : timeline.attained[order[i]]) area.heights.push_back(per_second(count));
    const PointInfo& point = points[order[i]];
    figure.legend.push_back(
        {.name = absl::StrFormat("%s (%.2f %%)", point.name, 100 * point.accuracy), .colour = colour, .filled = true});
  }
  return DrawSvg(figure);
}

}  // namespace anybit::scheduler::sim
