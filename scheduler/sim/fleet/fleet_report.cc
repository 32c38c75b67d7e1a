#include "scheduler/sim/fleet/fleet_report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_line.h"
#include "report/charts.h"
#include "report/markdown_table.h"

namespace anybit::scheduler::sim {
namespace {

std::string Percent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }

double WorstAttainment(const FleetResult& result) {
  double worst = 1;
  for (const FleetInterval& interval : result.intervals) worst = std::min(worst, interval.attainment());
  return worst;
}

report::Axis Hours(double hours) {
  report::Axis axis{.low = 0, .high = hours};
  const int step = hours > 12 ? 4 : 1;
  for (int hour = 0; hour <= static_cast<int>(hours); hour += step) axis.marks.emplace_back(hour, absl::StrCat(hour));
  return axis;
}

// A panel with a line for each policy: `value` of each interval, at the interval's middle.
report::Panel OverTheDay(std::span<const FleetReport> reports, const std::string& title, const std::string& unit,
                         const std::function<double(const FleetInterval&)>& value) {
  report::Panel panel{.title = title, .x = Hours(reports.front().result.total.hours)};
  double low = value(reports.front().result.intervals.front());
  double high = low;
  for (size_t i = 0; i < reports.size(); ++i) {
    report::Line line{.colour = report::LineColour(static_cast<int>(i)), .bold = i == 0, .dots = false};
    double hour = 0;
    for (const FleetInterval& interval : reports[i].result.intervals) {
      const double y = value(interval);
      line.points.emplace_back(hour + interval.hours / 2, y);
      hour += interval.hours;
      low = std::min(low, y);
      high = std::max(high, y);
    }
    panel.lines.push_back(std::move(line));
  }
  panel.y = report::RoundAxis(low, high, unit);
  return panel;
}

}  // namespace

std::string FleetTable(std::span<const FleetReport> reports) {
  std::vector<std::vector<std::string>> rows = {{"policy", "replica hours", "replicas: mean", "most", "started",
                                                 "answered in time", "in the worst interval",
                                                 "accuracy of what was in time"}};
  for (const FleetReport& report : reports) {
    const FleetResult& result = report.result;
    rows.push_back({report.policy, absl::StrFormat("%.1f", result.total.replica_hours),
                    absl::StrFormat("%.2f", result.total.replicas()), absl::StrCat(result.most_replicas),
                    absl::StrCat(result.started), Percent(result.total.attainment()), Percent(WorstAttainment(result)),
                    Percent(result.total.accuracy())});
  }
  return report::MarkdownTable(std::move(rows));
}

std::string FleetFigure(std::span<const FleetReport> reports, const std::string& caption) {
  report::Figure figure{.columns = 1, .panel_width = 760, .caption = caption};
  const auto offered = [](const FleetInterval& interval) {
    return static_cast<double>(interval.offered) / interval.hours;
  };
  // In requests per second of the day as it was simulated; the hours are longer by the time lapse.
  double most = 0;
  for (const FleetInterval& interval : reports.front().result.intervals) most = std::max(most, offered(interval));
  figure.panels.push_back(OverTheDay(reports.first(1), "offered load, as a share of the day's highest", " %",
                                     [&](const FleetInterval& interval) { return 100 * offered(interval) / most; }));
  figure.panels.back().lines.front().colour = "#1d1d1d";
  figure.panels.back().lines.front().bold = false;
  figure.panels.push_back(OverTheDay(reports, "replicas", "", [](const FleetInterval& i) { return i.replicas(); }));
  figure.panels.push_back(
      OverTheDay(reports, "answered in time", " %", [](const FleetInterval& i) { return 100 * i.attainment(); }));
  figure.panels.push_back(OverTheDay(reports, "accuracy of what was answered in time", " %",
                                     [](const FleetInterval& i) { return 100 * i.accuracy(); }));
  for (report::Panel& panel : figure.panels) panel.title += ", over the hours of the day";
  for (size_t i = 0; i < reports.size(); ++i) {
    figure.legend.push_back(
        {.name = reports[i].policy, .colour = report::LineColour(static_cast<int>(i)), .bold = i == 0});
  }
  return report::DrawSvg(figure);
}

std::string FleetJson(std::span<const FleetReport> reports) {
  std::string json;
  for (const FleetReport& report : reports) {
    const FleetResult& result = report.result;
    JsonLine line;
    line.Add("policy", report.policy)
        .Add("hours", result.total.hours)
        .Add("replica_hours", result.total.replica_hours)
        .Add("mean_replicas", result.total.replicas())
        .Add("most_replicas", result.most_replicas)
        .Add("started", result.started)
        .Add("offered", result.total.offered)
        .Add("attained", result.total.attained)
        .Add("attainment", result.total.attainment())
        .Add("worst_attainment", WorstAttainment(result))
        .Add("accuracy", result.total.accuracy());
    absl::StrAppend(&json, line.text(), "\n");
  }
  return json;
}

}  // namespace anybit::scheduler::sim
