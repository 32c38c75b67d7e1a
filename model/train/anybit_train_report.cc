// anybit-train-report: a page and a figure of the runs that anybit-train and anybit-import left as JSON files.
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "model/train/accuracy_figure.h"
#include "model/train/accuracy_tables.h"
#include "model/train/program.h"
#include "model/train/run_commands.h"
#include "model/train/run_file.h"
#include "model/train/run_statistics.h"
#include "model/train/training_page.h"

ABSL_FLAG(std::string, title, "Training", "title of the page");
ABSL_FLAG(std::string, out, "", "Markdown file to write; empty: standard output");
ABSL_FLAG(std::string, svg, "", "file of the figure to write; empty: none");
ABSL_FLAG(std::string, caption, "", "caption of the figure");
ABSL_FLAG(bool, intervals, false,
          "show differences between recipes with half of their 95 % t-interval instead of their standard deviation");
ABSL_FLAG(int, best, 3, "number of recipes in --best_out");
ABSL_FLAG(std::string, best_out, "",
          "file to write with the names of the recipes of the highest mean held-out accuracy, one a line, without the "
          "first recipe; empty: none");

namespace anybit::model::train {
namespace {

absl::StatusOr<std::vector<TrainingRun>> ReadRuns(const std::vector<std::string>& paths) {
  std::vector<TrainingRun> runs;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<TrainingRun> run = ParseRun(*text);
    if (!run.ok()) return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", run.status().message()));
    runs.push_back(*std::move(run));
  }
  return runs;
}

absl::Status Report(const std::vector<std::string>& paths) {
  const absl::StatusOr<std::vector<TrainingRun>> runs = ReadRuns(paths);
  if (!runs.ok()) return runs.status();
  if (absl::Status status = CheckAlike(*runs); !status.ok()) return status;
  const std::string page =
      TrainingPage(absl::GetFlag(FLAGS_title), *runs,
                   absl::GetFlag(FLAGS_intervals) ? Uncertainty::kInterval95 : Uncertainty::kDeviation);
  const std::string out = absl::GetFlag(FLAGS_out), svg = absl::GetFlag(FLAGS_svg);
  if (out.empty()) {
    std::cout << page;
  } else if (absl::Status status = ReplaceFile(out, page); !status.ok()) {
    return status;
  }
  if (const std::string best_out = absl::GetFlag(FLAGS_best_out); !best_out.empty()) {
    const int count = absl::GetFlag(FLAGS_best);
    if (count < 1) return absl::InvalidArgumentError(absl::StrCat("best ", count, " is below 1"));
    const std::vector<std::string> best = BestRecipes(*runs, static_cast<size_t>(count));
    if (absl::Status status = ReplaceFile(best_out, absl::StrJoin(best, "\n") + "\n"); !status.ok()) {
      return status;
    }
  }
  if (svg.empty()) return absl::OkStatus();
  const AccuracyOf which = HasAccuracy(*runs, AccuracyOf::kTest) ? AccuracyOf::kTest : AccuracyOf::kHeldOut;
  return ReplaceFile(svg, AccuracyFigure(*runs, which, absl::GetFlag(FLAGS_caption)));
}

int Main(int argc, char** argv) {
  const Program program = {
      .name = "anybit-train-report",
      .usage = "anybit-train-report RUN.json... [--FLAG=VALUE...]: makes a page and a figure of runs",
      .flags_file = "/anybit_train_report.cc",
      .word = "run's JSON file"};
  return ExitStatus(program, Report(ParseFlags(argc, argv, program)));
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
