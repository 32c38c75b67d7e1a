#include "model/train/report.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "report/charts.h"
#include "report/markdown_table.h"

namespace anybit {
namespace {

constexpr double kFullPrecisionBits = 32;
constexpr double kFullPrecisionPlace = 16;  // on the bits' axis: one doubling to the right of eight bits

struct Spread {
  double mean = 0;
  double deviation = 0;  // 0 for a single value
  int64_t count = 0;
};

Spread SpreadOf(const std::vector<double>& values) {
  Spread spread{.count = static_cast<int64_t>(values.size())};
  if (values.empty()) return spread;
  const double count = static_cast<double>(values.size());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (spread.count > 1) spread.deviation = std::sqrt(squares / (count - 1));
  return spread;
}

void AddNew(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::vector<std::string> RecipesOf(std::span<const TrainingRun> runs) {
  std::vector<std::string> names;
  for (const TrainingRun& run : runs) AddNew(names, run.recipe());
  return names;
}

// Columns: more bits to the left, as a ladder is read; equal ones in the order of the runs.
std::vector<PointResult> PointsOf(std::span<const TrainingRun> runs) {
  std::vector<PointResult> points;
  std::set<std::string> seen;
  for (const TrainingRun& run : runs) {
    for (const PointResult& point : run.points()) {
      if (seen.insert(point.name()).second) points.push_back(point);
    }
  }
  const auto bits = [](const PointResult& p) { return p.weight_bits() + p.activation_bits(); };
  std::stable_sort(points.begin(), points.end(),
                   [&](const PointResult& a, const PointResult& b) { return bits(a) > bits(b); });
  return points;
}

// In percent.
Spread AccuracySpread(std::span<const TrainingRun> runs, const std::string& recipe, const std::string& name,
                      AccuracyOf which) {
  std::vector<double> values;
  for (const TrainingRun& run : runs) {
    if (run.recipe() != recipe) continue;
    for (const PointResult& point : run.points()) {
      if (point.name() != name) continue;
      if (which == AccuracyOf::kHeldOut && point.held_out_images() > 0)
        values.push_back(100 * point.held_out_accuracy());
      if (which == AccuracyOf::kTest && point.test_images() > 0) values.push_back(100 * point.test_accuracy());
    }
  }
  return SpreadOf(values);
}

// In percent, by seed; of runs that have one.
std::map<uint64_t, double> AccuracyBySeed(std::span<const TrainingRun> runs, const std::string& recipe,
                                          const std::string& name, AccuracyOf which) {
  std::map<uint64_t, double> values;
  for (const TrainingRun& run : runs) {
    if (!run.has_seed()) continue;
    const Spread one = AccuracySpread({&run, 1}, recipe, name, which);
    if (one.count > 0) values[run.seed()] = one.mean;
  }
  return values;
}

// Without the digits of "seed=1" and "seed1".
std::string WithoutSeeds(absl::string_view command) {
  std::string rest;
  for (size_t i = 0; i < command.size(); ++i) {
    rest += command[i];
    if (!absl::EndsWith(rest, "seed") && !absl::EndsWith(rest, "seed=")) continue;
    while (i + 1 < command.size() && absl::ascii_isdigit(static_cast<unsigned char>(command[i + 1]))) ++i;
  }
  return rest;
}

// A command less its --points.
std::string WithoutPoints(const std::string& command) {
  std::vector<std::string> words = absl::StrSplit(command, ' ');
  std::erase_if(words, [](const std::string& word) { return absl::StartsWith(word, "--points="); });
  return absl::StrJoin(words, " ");
}

std::string Cell(const Spread& spread, bool of_differences = false) {
  if (spread.count == 0) return "-";
  const char* sign = of_differences && spread.mean >= 0 ? "+" : "";
  if (spread.count == 1) return absl::StrFormat("%s%.2f", sign, spread.mean);
  return absl::StrFormat("%s%.2f ± %.2f", sign, spread.mean, spread.deviation);
}

double PlaceOf(const PointResult& point) {
  if (point.weight_bits() == kFullPrecisionBits) return kFullPrecisionPlace;
  return (point.weight_bits() + point.activation_bits()) / 2;
}

// Of fitted ranges (their names end in f) where another of the line's points is so near that through both it would have
// a kink.
bool StandsApart(const PointResult& point, const std::vector<PointResult>& points) {
  return absl::EndsWith(point.name(), "f") && std::any_of(points.begin(), points.end(), [&](const PointResult& other) {
           return other.name() != point.name() && std::abs(PlaceOf(other) - PlaceOf(point)) < 0.5;
         });
}

report::Axis BitsAxis(const std::vector<PointResult>& points) {
  double low = 8, high = 1;
  for (const PointResult& point : points) {
    low = std::min(low, PlaceOf(point));
    high = std::max(high, PlaceOf(point));
  }
  report::Axis axis{.low = low * 0.93, .high = high * 1.07, .logarithmic = true};
  for (const int bits : {1, 2, 3, 4, 6, 8}) {
    if (bits >= axis.low && bits <= axis.high) axis.marks.emplace_back(bits, absl::StrCat(bits));
  }
  if (high == kFullPrecisionPlace) axis.marks.emplace_back(kFullPrecisionPlace, "fp32");
  return axis;
}

template <typename Has>
bool AnyPoint(std::span<const TrainingRun> runs, Has has) {
  return std::any_of(runs.begin(), runs.end(), [&](const TrainingRun& run) {
    return std::any_of(run.points().begin(), run.points().end(), has);
  });
}
bool HasTest(std::span<const TrainingRun> runs) {
  return AnyPoint(runs, [](const PointResult& p) { return p.test_images() > 0; });
}
bool HasHeldOut(std::span<const TrainingRun> runs) {
  return AnyPoint(runs, [](const PointResult& p) { return p.held_out_images() > 0; });
}

}  // namespace

double BitsOfLevels(int64_t levels) { return std::log2(static_cast<double>(levels)); }

PointResult ResultOf(const PointRecipe& point) {
  const CodeRange& weights = point.weights;
  PointResult result;
  result.set_name(point.name);
  result.set_weight_bits(point.full_precision ? kFullPrecisionBits
                                              : BitsOfLevels(weights.sign ? 2 : weights.hi - weights.lo + 1));
  result.set_activation_bits(point.full_precision ? kFullPrecisionBits : BitsOfLevels(point.highest_code + 1));
  return result;
}

std::string SerializeRun(const TrainingRun& run) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails for strings that are not UTF-8 only, and then leaves what it has: the reader will say so.
  static_cast<void>(google::protobuf::util::MessageToJsonString(run, &json, options));
  return json;
}

absl::StatusOr<TrainingRun> ParseRun(absl::string_view json) {
  TrainingRun run;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &run);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat("no training run: ", parsed.ToString()));
  if (run.recipe().empty() || run.points().empty()) {
    return absl::InvalidArgumentError("no training run: it names no recipe or no operating point");
  }
  for (const PointResult& point : run.points()) {
    for (const double accuracy : {point.held_out_accuracy(), point.test_accuracy()}) {
      if (accuracy >= 0 && accuracy <= 1) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("point '", point.name(), "': accuracy ", accuracy, " is outside 0..1"));
    }
    for (const double bits : {point.weight_bits(), point.activation_bits()}) {
      if (bits > 0 && bits <= kFullPrecisionBits) continue;
      return absl::InvalidArgumentError(absl::StrCat("point '", point.name(), "': ", bits, " bits are outside 0..32"));
    }
  }
  return run;
}

std::string AccuracyTable(std::span<const TrainingRun> runs, AccuracyOf which) {
  const std::vector<PointResult> points = PointsOf(runs);
  std::vector<std::vector<std::string>> rows = {{"recipe"}};
  for (const PointResult& point : points) rows.front().push_back(point.name());
  for (const std::string& recipe : RecipesOf(runs)) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(recipe);
    for (const PointResult& point : points) row.push_back(Cell(AccuracySpread(runs, recipe, point.name(), which)));
  }
  return report::MarkdownTable(rows);
}

std::string DifferenceTable(std::span<const TrainingRun> runs, AccuracyOf which) {
  const std::vector<PointResult> points = PointsOf(runs);
  const std::vector<std::string> recipes = RecipesOf(runs);
  std::vector<std::vector<std::string>> rows = {{"recipe"}};
  for (const PointResult& point : points) rows.front().push_back(point.name());
  bool any = false;
  for (size_t r = 1; r < recipes.size(); ++r) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(recipes[r]);
    for (const PointResult& point : points) {
      const auto base = AccuracyBySeed(runs, recipes[0], point.name(), which);
      std::vector<double> differences;
      for (const auto& [seed, value] : AccuracyBySeed(runs, recipes[r], point.name(), which)) {
        if (const auto same = base.find(seed); same != base.end()) differences.push_back(value - same->second);
      }
      const Spread spread = SpreadOf(differences);
      any |= spread.count > 0;
      row.push_back(Cell(spread, /*of_differences=*/true));
    }
  }
  return any ? report::MarkdownTable(rows) : "";
}

absl::Status CheckAlike(std::span<const TrainingRun> runs) {
  // By recipe and point; with "", by recipe alone: of runs that have no point in common, less the points.
  std::map<std::pair<std::string, std::string>, std::string> commands;
  for (const TrainingRun& run : runs) {
    std::vector<std::string> names = {""};
    for (const PointResult& point : run.points()) names.push_back(point.name());
    for (const std::string& name : names) {
      const std::string& first = commands.emplace(std::pair(run.recipe(), name), run.command()).first->second;
      std::string one = WithoutSeeds(first), other = WithoutSeeds(run.command());
      if (name.empty()) one = WithoutPoints(one), other = WithoutPoints(other);
      if (one == other) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "runs called '", run.recipe(), "' differ in more than their seeds: [", first, "] and [", run.command(), "]"));
    }
  }
  return absl::OkStatus();
}

std::string AccuracyFigure(std::span<const TrainingRun> runs, AccuracyOf which, const std::string& caption) {
  report::Figure figure{.columns = 1, .panel_width = 560, .caption = caption};
  report::Panel& panel = figure.panels.emplace_back();
  panel.title = absl::StrCat("top-1, %, of the ", which == AccuracyOf::kTest ? "test set" : "held-out images",
                             " against bits (log2 of levels; mean of weights and activations)");
  std::vector<PointResult> points = PointsOf(runs);
  panel.x = BitsAxis(points);
  std::reverse(points.begin(), points.end());  // lines run from left to right
  double low = 100, high = 0;
  for (const std::string& recipe : RecipesOf(runs)) {
    // Named in the legend alone: names of recipes are longer than the room beside a panel.
    const std::string colour = report::LineColour(static_cast<int>(figure.legend.size()));
    report::Line joined{.colour = colour}, apart{.colour = colour, .joined = false};
    std::vector<PointResult> own = points;
    std::erase_if(own, [&](const PointResult& p) { return AccuracySpread(runs, recipe, p.name(), which).count == 0; });
    for (const PointResult& point : own) {
      const Spread spread = AccuracySpread(runs, recipe, point.name(), which);
      report::Line& line = StandsApart(point, own) ? apart : joined;
      line.points.emplace_back(PlaceOf(point), spread.mean);
      line.spreads.push_back(spread.deviation);
      low = std::min(low, spread.mean - spread.deviation);
      high = std::max(high, spread.mean + spread.deviation);
    }
    if (joined.points.empty() && apart.points.empty()) continue;
    figure.legend.push_back({.name = recipe, .colour = colour});
    if (!joined.points.empty()) panel.lines.push_back(std::move(joined));
    if (!apart.points.empty()) panel.lines.push_back(std::move(apart));
  }
  panel.y = report::RoundAxis(std::max(low, 0.0), std::min(high, 100.0));
  return report::DrawSvg(figure);
}

std::string TrainingPage(const std::string& title, std::span<const TrainingRun> runs) {
  std::vector<std::string> networks, images;
  for (const TrainingRun& run : runs) {
    AddNew(networks, run.network());
    AddNew(images, run.images());
  }
  std::string page = absl::StrCat("# ", title, "\n\n", absl::StrJoin(networks, ", "), " on ",
                                  absl::StrJoin(images, ", "), ". Top-1, %; mean ± standard deviation over seeds.\n");
  const auto add = [&](const char* what, AccuracyOf which) {
    absl::StrAppend(&page, "\n## ", what, "\n\n", AccuracyTable(runs, which));
    const std::string differences = DifferenceTable(runs, which);
    if (differences.empty()) return;
    absl::StrAppend(&page, "\nAbove `", runs.front().recipe(), "`, runs of the same seed:\n\n", differences);
  };
  if (HasTest(runs)) add("Test set", AccuracyOf::kTest);
  if (HasHeldOut(runs)) add("Held-out images", AccuracyOf::kHeldOut);
  std::vector<std::vector<std::string>> rows = {{"recipe", "runs", "seeds", "processor minutes a run"}};
  for (const std::string& recipe : RecipesOf(runs)) {
    int count = 0;
    std::vector<double> minutes;
    std::vector<std::string> seeds;
    for (const TrainingRun& run : runs) {
      if (run.recipe() != recipe) continue;
      ++count;
      if (run.processor_seconds() > 0) minutes.push_back(run.processor_seconds() / 60);
      if (run.has_seed()) AddNew(seeds, absl::StrCat(run.seed()));
    }
    rows.push_back({recipe, absl::StrCat(count), seeds.empty() ? "-" : absl::StrJoin(seeds, " "),
                    minutes.empty() ? "-" : absl::StrFormat("%.1f", SpreadOf(minutes).mean)});
  }
  absl::StrAppend(&page, "\n## Runs\n\n", report::MarkdownTable(rows));
  std::vector<std::string> commands, listed;  // of runs that differ in their seeds alone, the first one's
  for (const TrainingRun& run : runs) {
    const size_t known = listed.size();
    AddNew(listed, WithoutSeeds(run.command()));
    if (!run.command().empty() && listed.size() > known) commands.push_back(run.command());
  }
  if (!commands.empty()) absl::StrAppend(&page, "\n```\n", absl::StrJoin(commands, "\n"), "\n```\n");
  return page;
}

}  // namespace anybit
