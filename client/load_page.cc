#include "client/load_page.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/utf8.h"
#include "client/load_figures.h"
#include "report/charts.h"

namespace anybit::client {
namespace {

using std::chrono::nanoseconds;

// The figures bring the colours of paper; here text, grid and ground follow the page's.
constexpr char kHead[] = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>anybit-load</title>
<style>
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #1f2630; --soft: #5d6878; --rule: #dfe3e9;
  --good: #1d7a53; --bad: #b3303f; --warn: #fdf3da; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12151a; --card: #1a1f26; --ink: #e4e8ee; --soft: #9aa5b4; --rule: #313945; --good: #5fd3a0;
    --bad: #ff8a97; --warn: #3a3019; }
  figure svg polygon, figure svg rect[fill^="#"] { filter: brightness(1.15); }
  figure svg polyline, figure svg circle, figure svg .name { filter: brightness(1.4); }
}
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 17px; margin: 34px 0 10px; }
p { margin: 6px 0; color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 16px;
  flex: 1 1 130px; }
.tile b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.warning { background: var(--warn); border-radius: 8px; padding: 10px 16px; color: var(--ink); }
figure { display: flex; flex-wrap: wrap; justify-content: space-evenly; align-items: flex-end; margin: 0;
  background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px; }
figure svg { max-width: 100%; height: auto; }
figure svg text { fill: var(--ink); }
figure svg .grid { stroke: var(--rule); }
figure svg rect[fill="white"] { fill: none; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 11px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
tr.kind td { color: var(--soft); }
tr.kind td:first-child { padding-left: 28px; }
td.good { color: var(--good); } td.bad { color: var(--bad); }
</style>
</head>
<body>
<main>
)";

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(ToValidUtf8(text), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Percent(std::optional<double> share) { return share ? absl::StrFormat("%.2f %%", 100 * *share) : "–"; }

std::string Time(nanoseconds time) {
  const double ms = static_cast<double>(time.count()) / 1e6;
  if (ms == 0) return "–";
  return ms < 10     ? absl::StrFormat("%.2f ms", ms)
         : ms < 1000 ? absl::StrFormat("%.1f ms", ms)
                     : absl::StrFormat("%.2f s", ms / 1000);
}

void AddTile(std::string& page, const std::string& value, const std::string& name) {
  absl::StrAppend(&page, "<div class=\"tile\"><b>", Escaped(value), "</b><span>", Escaped(name), "</span></div>\n");
}

// Over the whole load: sums and means of the steps.
void AddTiles(const LoadReport& report, std::string& page) {
  int64_t offered = 0;
  int64_t attained = 0;
  double expected = 0;
  double right = 0;
  bool has_expected = false;
  bool has_top1 = false;
  for (const StepReport& step : report.steps) {
    const int64_t in_time = step.CountOf(Ending::kAttained);
    offered += step.offered;
    attained += in_time;
    has_expected |= step.expected_accuracy.has_value();
    has_top1 |= step.top1.has_value();
    expected += step.expected_accuracy.value_or(0) * static_cast<double>(in_time);
    right += step.top1.value_or(0) * static_cast<double>(in_time);
  }
  const auto mean = [&](bool has, double sum) {
    return has ? std::optional(sum / static_cast<double>(attained)) : std::nullopt;
  };
  page += "<div class=\"tiles\">\n";
  AddTile(page, absl::StrCat(offered), "calls");
  AddTile(page, offered > 0 ? Percent(static_cast<double>(attained) / static_cast<double>(offered)) : "–", "in time");
  AddTile(page, Percent(mean(has_expected, expected)), "expected accuracy");
  if (has_top1) AddTile(page, Percent(mean(has_top1, right)), "measured accuracy");
  if (!report.latencies.empty()) {
    const auto at = [&](double share) {
      const auto count = static_cast<double>(report.latencies.size());
      return report.latencies[static_cast<size_t>(std::max(1., std::ceil(share * count - 1e-9))) - 1];
    };
    AddTile(page, Time(at(0.5)), "median latency");
    AddTile(page, Time(at(0.99)), "99th percentile");
    AddTile(page, Time(at(1)), "slowest answer");
  }
  page += "</div>\n";
}

void AddRow(const std::string& name, const CallSummary& summary, bool is_kind, std::string& page) {
  absl::StrAppend(&page, is_kind ? "<tr class=\"kind\"><td>" : "<tr><td>", Escaped(name), "</td>");
  const auto cell = [&](const std::string& text, const char* kind = "") {
    absl::StrAppend(&page, "<td", *kind == '\0' ? "" : absl::StrCat(" class=\"", kind, "\""), ">", text, "</td>");
  };
  cell(absl::StrCat(summary.offered));
  cell(Percent(summary.attainment), summary.attainment >= 0.99 ? "good" : summary.attainment < 0.9 ? "bad" : "");
  cell(absl::StrCat(summary.CountOf(Ending::kLate)));
  cell(absl::StrCat(summary.CountOf(Ending::kShed)));
  cell(absl::StrCat(summary.CountOf(Ending::kExpired)));
  cell(absl::StrCat(summary.CountOf(Ending::kFailed)), summary.CountOf(Ending::kFailed) > 0 ? "bad" : "");
  cell(Percent(summary.expected_accuracy));
  cell(Percent(summary.top1));
  for (const nanoseconds time : {summary.p50, summary.p90, summary.p99, summary.p999, summary.max}) cell(Time(time));
  page += "</tr>\n";
}

void AddTable(const LoadSent& sent, const LoadReport& report, std::string& page) {
  page +=
      "<h2>Steps</h2>\n<div class=\"scroll\"><table>\n<tr><th>load</th><th>calls</th><th>in time</th><th>late</th>"
      "<th>shed</th><th>expired</th><th>failed</th><th>expected accuracy</th><th>measured</th><th>p50</th><th>p90</th>"
      "<th>p99</th><th>p99.9</th><th>max</th></tr>\n";
  for (const StepReport& step : report.steps) {
    std::string name = absl::StrFormat("%.4g/s", step.calls_per_second);
    if (sent.capacity) name = absl::StrCat(StepName(sent, step), " = ", name);
    if (!step.complete) name += ", interrupted";
    AddRow(name, step, false, page);
    if (step.kinds.size() < 2) continue;
    for (size_t k = 0; k < step.kinds.size(); ++k) AddRow(sent.kinds[k].name, step.kinds[k], true, page);
  }
  page += "</table></div>\n";
}

void AddFigures(const std::string& title, std::initializer_list<report::Figure> figures, std::string& page) {
  absl::StrAppend(&page, "<h2>", title, "</h2>\n<figure>\n");
  for (const report::Figure& figure : figures) page += report::DrawSvg(figure);
  page += "</figure>\n";
}

}  // namespace

std::string LoadPage(const LoadSent& sent, const LoadReport& report) {
  const LoadOptions& options = sent.options;
  std::string page = kHead;
  absl::StrAppend(&page, "<h1>Load on ", Escaped(sent.model), "</h1>\n<p>", Escaped(options.server), " · ",
                  Escaped(TrafficName(options)), ", seed ", options.seed);
  if (sent.capacity) absl::StrAppendFormat(&page, " · capacity %.0f calls/s", *sent.capacity);
  for (const RequestKind& kind : sent.kinds) {
    absl::StrAppend(&page, " · ", kind.name.empty() ? "" : Escaped(kind.name) + ", ");
    const double ms = static_cast<double>(kind.request.deadline.count()) / 1000;
    page += ms > 0 ? absl::StrFormat("deadline %g ms", ms) : std::string("no deadline");
  }
  page += "</p>\n";
  if (const std::string warning = ClientLimitWarning(report); !warning.empty()) {
    absl::StrAppend(&page, "<p class=\"warning\">Beware: ", warning, ".</p>\n");
  }
  AddTiles(report, page);
  if (!report.steps.empty() && !report.timeline.empty()) {
    AddTable(sent, report, page);
    const FigurePair steps = StepsFigures(sent, report);
    AddFigures("Each step", {steps.areas, steps.lines}, page);
    const FigurePair timeline = TimelineFigures(sent, report);
    AddFigures("Over time", {timeline.areas, timeline.lines}, page);
  }
  if (!report.latencies.empty()) AddFigures("Latency", {DistributionFigure(sent, report)}, page);
  return page + "</main>\n</body>\n</html>\n";
}

}  // namespace anybit::client
