// anybit-train-report: the runs that anybit-train left as JSON, as one table and one figure.
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "model/train/program.h"
#include "model/train/report.h"
#include "model/train/text_file.h"

ABSL_FLAG(std::string, title, "Training", "of the page");
ABSL_FLAG(std::string, out, "", "Markdown file to write; empty: standard output");
ABSL_FLAG(std::string, svg, "", "figure to write; empty: none");
ABSL_FLAG(std::string, caption, "", "of the figure");

namespace anybit {
namespace {

absl::Status Main(const std::vector<std::string>& paths) {
  if (paths.empty()) return absl::InvalidArgumentError("name at least one run's JSON file");
  std::vector<TrainingRun> runs;
  bool tested = false;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = ReadTextFile(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<TrainingRun> run = ParseRun(*text);
    if (!run.ok()) return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", run.status().message()));
    for (const PointResult& point : run->points()) tested |= point.test_images() > 0;
    runs.push_back(*std::move(run));
  }
  if (absl::Status status = CheckAlike(runs); !status.ok()) return status;
  const std::string page = TrainingPage(absl::GetFlag(FLAGS_title), runs);
  const std::string out = absl::GetFlag(FLAGS_out), svg = absl::GetFlag(FLAGS_svg);
  if (out.empty()) {
    std::cout << page;
  } else if (absl::Status status = WriteTextFile(out, page); !status.ok()) {
    return status;
  }
  if (svg.empty()) return absl::OkStatus();
  return WriteTextFile(
      svg, AccuracyFigure(runs, tested ? AccuracyOf::kTest : AccuracyOf::kHeldOut, absl::GetFlag(FLAGS_caption)));
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  const std::vector<std::string> paths =
      anybit::ParseFlags(argc, argv, "/anybit_train_report.cc",
                         "merges runs of anybit-train: anybit-train-report RUN.json... --out=T.md --svg=PLOT.svg");
  return anybit::ExitStatus("anybit-train-report", anybit::Main(paths));
}
