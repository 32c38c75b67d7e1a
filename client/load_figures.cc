#include "client/load_figures.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace anybit::client {
namespace {

using report::Area;
using report::Axis;
using report::Figure;
using report::LegendEntry;
using report::Line;
using report::Panel;
using std::chrono::nanoseconds;

constexpr int kPanelWidth = 480;

// Chosen to be told apart on white and on black, and by most who see colours otherwise.
constexpr char kInTime[] = "#2f9e6e";
constexpr char kLate[] = "#e3a21a";
constexpr char kRefused[] = "#8a97ab";
constexpr char kFailed[] = "#d1495b";
constexpr char kObjective[] = "#d1495b";
constexpr char kBorder[] = "#99a0aa";

double Seconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e9; }
double Milliseconds(nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

// Marks at 1, 2 and 5 of each decade; at 1 only from four decades on.
Axis LogarithmicAxis(double low, double high) {
  low = std::max(low, 1e-3);
  high = std::max(high, 2 * low);
  const bool only_decades = std::log10(high / low) > 4;
  Axis axis{.low = low, .high = high, .logarithmic = true};
  for (int decade = static_cast<int>(std::floor(std::log10(low))); std::pow(10, decade) <= high; ++decade) {
    for (const double digit : {1., 2., 5.}) {
      const double value = digit * std::pow(10, decade);
      if (value < low || value > high || (only_decades && digit != 1)) continue;
      axis.marks.emplace_back(value, absl::StrFormat("%g", value));
    }
  }
  return axis;
}

// The places of calls on a panel's x axis: borders, one more than there are summaries, and a middle for each.
struct Places {
  Axis axis;
  std::vector<double> borders;
  std::vector<Line> separators;  // between steps
  bool of_steps = true;

  double middle(size_t i) const { return (borders[i] + borders[i + 1]) / 2; }
};

struct Summaries {
  std::vector<const CallSummary*> all;
  std::vector<double> seconds;  // of each
};

// A line through `value(summary)` of those that have one.
template <typename Value>
Line LineOf(const Places& places, const Summaries& summaries, std::string name, std::string colour, Value value) {
  Line line{.name = std::move(name), .colour = std::move(colour), .dots = places.of_steps};
  for (size_t i = 0; i < summaries.all.size(); ++i) {
    const std::optional<double> y = value(*summaries.all[i]);
    if (y.has_value()) line.points.emplace_back(places.middle(i), *y);
  }
  return line;
}

void AddSeparators(const Places& places, Panel& panel) {
  for (Line separator : places.separators) {
    for (size_t end = 0; end < 2; ++end) separator.points[end].second = end == 0 ? panel.y.low : panel.y.high;
    panel.lines.push_back(std::move(separator));
  }
}

Panel EndingsPanel(const Places& places, const Summaries& summaries) {
  Panel panel{.title = "calls/s, by how they ended", .x = places.axis, .steps = places.borders};
  double highest = 0;
  for (size_t i = 0; i < summaries.all.size(); ++i) {
    highest = std::max(highest, static_cast<double>(summaries.all[i]->offered) / summaries.seconds[i]);
  }
  panel.y = report::RoundAxis(0, highest);
  const auto add = [&](const char* colour, std::initializer_list<Ending> endings) {
    Area area{.colour = colour};
    for (size_t i = 0; i < summaries.all.size(); ++i) {
      int64_t count = 0;
      for (const Ending ending : endings) count += summaries.all[i]->CountOf(ending);
      area.heights.push_back(static_cast<double>(count) / summaries.seconds[i]);
    }
    panel.areas.push_back(std::move(area));
  };
  add(kInTime, {Ending::kAttained});
  add(kLate, {Ending::kLate});
  add(kRefused, {Ending::kShed, Ending::kExpired});
  add(kFailed, {Ending::kFailed});
  AddSeparators(places, panel);
  return panel;
}

std::vector<Line> ObjectiveLines(const LoadSent& sent, double low, double high) {
  std::set<std::chrono::microseconds> deadlines;
  for (const RequestKind& kind : sent.kinds) {
    if (kind.request.deadline.count() > 0) deadlines.insert(kind.request.deadline);
  }
  std::vector<Line> lines;
  for (const std::chrono::microseconds deadline : deadlines) {
    const double ms = Milliseconds(deadline);
    lines.push_back({.name = absl::StrFormat("objective %g", ms),
                     .colour = kObjective,
                     .dashed = true,
                     .dots = false,
                     .points = {{low, ms}, {high, ms}}});
  }
  return lines;
}

Panel LatencyPanel(const LoadSent& sent, const Places& places, const Summaries& summaries) {
  Panel panel{.title = "latency of the answers, ms, from when they were to be sent", .x = places.axis};
  panel.lines = ObjectiveLines(sent, places.axis.low, places.axis.high);
  const auto add = [&](const char* name, const char* colour, nanoseconds CallSummary::*percentile) {
    panel.lines.push_back(LineOf(places, summaries, name, colour, [&](const CallSummary& summary) {
      const double ms = Milliseconds(summary.*percentile);
      return ms > 0 ? std::optional(ms) : std::nullopt;
    }));
  };
  add("p50", "#4c8fd6", &CallSummary::p50);
  add("p90", "#3b6fb5", &CallSummary::p90);
  add("p99", "#7a4fa3", &CallSummary::p99);
  add("p99.9", "#a35fc9", &CallSummary::p999);
  double low = 1e9;
  double high = 0;
  for (const Line& line : panel.lines) {
    for (const auto& [x, y] : line.points) {
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  panel.y = LogarithmicAxis(high > 0 ? 0.8 * low : 1, high > 0 ? 1.25 * high : 10);
  AddSeparators(places, panel);
  return panel;
}

Panel PointsPanel(const LoadReport& report, const Places& places, const Summaries& summaries) {
  Panel panel{.title = "answers by operating point", .x = places.axis, .steps = places.borders};
  panel.y = {.low = 0, .high = 100, .marks = {{0, "0 %"}, {25, "25 %"}, {50, "50 %"}, {75, "75 %"}, {100, "100 %"}}};
  for (size_t p = 0; p < report.points.size(); ++p) {
    Area area{.colour = report::ShadeOf(static_cast<int>(p), static_cast<int>(report.points.size()))};
    for (const CallSummary* summary : summaries.all) {
      const int64_t answers = summary->CountOf(Ending::kAttained) + summary->CountOf(Ending::kLate);
      const auto point = summary->points.find(report.points[p].point);
      const double count = point == summary->points.end() ? 0 : static_cast<double>(point->second);
      area.heights.push_back(answers == 0 ? 0 : 100 * count / static_cast<double>(answers));
    }
    panel.areas.push_back(std::move(area));
  }
  AddSeparators(places, panel);
  return panel;
}

// The measured accuracy with twice its standard error. Parts of steps have too few calls for it, so it is left out
// there if the server tells what it expects.
Panel AccuracyPanel(const Places& places, const Summaries& summaries) {
  Panel panel{.title = "accuracy of what was answered in time", .x = places.axis};
  Line expected = LineOf(places, summaries, "expected", kInTime, [](const CallSummary& summary) {
    return summary.expected_accuracy ? std::optional(100 * *summary.expected_accuracy) : std::nullopt;
  });
  expected.bold = true;
  Line measured = LineOf(places, summaries, "measured", "#c07f2a", [](const CallSummary& summary) {
    return summary.top1 ? std::optional(100 * *summary.top1) : std::nullopt;
  });
  if (!places.of_steps && !expected.points.empty()) measured.points.clear();
  if (places.of_steps) {
    for (const CallSummary* summary : summaries.all) {
      const auto attained = static_cast<double>(summary->CountOf(Ending::kAttained));
      if (summary->top1) measured.spreads.push_back(200 * std::sqrt(*summary->top1 * (1 - *summary->top1) / attained));
    }
  }
  double low = 100;
  double high = 0;
  for (const Line* line : {&expected, &measured}) {
    for (size_t i = 0; i < line->points.size(); ++i) {
      const double spread = line->spreads.empty() ? 0 : line->spreads[i];
      low = std::min(low, line->points[i].second - spread);
      high = std::max(high, line->points[i].second + spread);
    }
  }
  if (low > high) low = 0, high = 100;
  panel.y = report::RoundAxis(std::max(0., low - 0.1), std::min(100., high + 0.1), " %");
  if (!expected.points.empty()) panel.lines.push_back(std::move(expected));
  if (!measured.points.empty()) panel.lines.push_back(std::move(measured));
  AddSeparators(places, panel);
  return panel;
}

std::vector<LegendEntry> Legend(const LoadReport& report) {
  std::vector<LegendEntry> legend = {{.name = "in time", .colour = kInTime, .filled = true},
                                     {.name = "late", .colour = kLate, .filled = true},
                                     {.name = "refused or expired", .colour = kRefused, .filled = true},
                                     {.name = "failed", .colour = kFailed, .filled = true}};
  for (size_t p = 0; p < report.points.size(); ++p) {
    legend.push_back({.name = report.points[p].point,
                      .colour = report::ShadeOf(static_cast<int>(p), static_cast<int>(report.points.size())),
                      .filled = true});
  }
  return legend;
}

FigurePair Pair(const LoadSent& sent, const LoadReport& report, const Places& places, const Summaries& summaries,
                const std::string& caption) {
  return {.areas = {.panels = {EndingsPanel(places, summaries), PointsPanel(report, places, summaries)},
                    .columns = 1,
                    .panel_width = kPanelWidth,
                    .legend = Legend(report),
                    .caption = caption},
          .lines = {.panels = {LatencyPanel(sent, places, summaries), AccuracyPanel(places, summaries)},
                    .columns = 1,
                    .panel_width = kPanelWidth,
                    .caption = caption}};
}

}  // namespace

FigurePair StepsFigures(const LoadSent& sent, const LoadReport& report) {
  Places places{.axis = {.low = 0, .high = static_cast<double>(report.steps.size())}, .borders = {0}};
  Summaries summaries;
  for (const StepReport& step : report.steps) {
    const auto begin = places.borders.back();
    places.borders.push_back(begin + 1);
    places.axis.marks.emplace_back(begin + 0.5, StepName(sent, step));
    if (begin > 0) {
      places.separators.push_back(
          {.colour = kBorder, .dashed = true, .dots = false, .points = {{begin, 0}, {begin, 0}}});
    }
    summaries.all.push_back(&step);
    summaries.seconds.push_back(Seconds(step.duration));
  }
  return Pair(sent, report, places, summaries,
              sent.capacity ? absl::StrFormat("steps, as multiples of %.0f calls/s", *sent.capacity)
                            : std::string("steps, in calls/s"));
}

FigurePair TimelineFigures(const LoadSent& sent, const LoadReport& report) {
  const Interval& last = report.timeline.back();
  Places places{.axis = report::RoundAxis(0, Seconds(last.begin + last.duration), " s"), .of_steps = false};
  places.axis.high = Seconds(last.begin + last.duration);
  while (places.axis.marks.back().first > places.axis.high) places.axis.marks.pop_back();
  Summaries summaries;
  for (const Interval& interval : report.timeline) {
    const double begin = Seconds(interval.begin);
    if (!places.borders.empty() && interval.step != report.timeline[places.borders.size() - 1].step) {
      places.separators.push_back(
          {.colour = kBorder, .dashed = true, .dots = false, .points = {{begin, 0}, {begin, 0}}});
    }
    places.borders.push_back(begin);
    summaries.all.push_back(&interval);
    summaries.seconds.push_back(Seconds(interval.duration));
  }
  places.borders.push_back(places.axis.high);
  return Pair(sent, report, places, summaries, "time of sending; dashed: steps");
}

Figure DistributionFigure(const LoadSent& sent, const LoadReport& report) {
  const std::vector<nanoseconds>& latencies = report.latencies;
  const auto count = static_cast<double>(latencies.size());
  Panel panel{.title = "latency of all answers, ms, by percentile"};
  panel.x = {.low = 1, .high = std::max(10., count), .logarithmic = true};
  for (const auto& [rest, text] :
       {std::pair(1., "0 %"), std::pair(2., "50 %"), std::pair(10., "90 %"), std::pair(100., "99 %"),
        std::pair(1e3, "99.9 %"), std::pair(1e4, "99.99 %"), std::pair(1e5, "99.999 %")}) {
    if (rest <= panel.x.high) panel.x.marks.emplace_back(rest, text);
  }
  panel.lines = ObjectiveLines(sent, 1, panel.x.high);
  Line line{.name = "latency", .colour = "#7a4fa3", .bold = true, .dots = false};
  constexpr int kPoints = 240;
  for (int i = 0; i <= kPoints; ++i) {
    const double rest = std::pow(panel.x.high, static_cast<double>(i) / kPoints);
    const double rank = std::clamp(std::ceil((1 - 1 / rest) * count - 1e-9), 1.0, count);
    line.points.emplace_back(rest, Milliseconds(latencies[static_cast<size_t>(rank) - 1]));
  }
  double low = Milliseconds(latencies.front());
  double high = Milliseconds(latencies.back());
  for (const Line& objective : panel.lines) {
    low = std::min(low, objective.points[0].second);
    high = std::max(high, objective.points[0].second);
  }
  panel.y = LogarithmicAxis(0.8 * low, 1.25 * high);
  panel.lines.push_back(std::move(line));
  return {.panels = {panel}, .columns = 1, .panel_width = 2 * kPanelWidth + 82, .caption = "percentile"};
}

}  // namespace anybit::client
