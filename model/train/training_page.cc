#include "model/train/training_page.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/train/accuracy_tables.h"
#include "model/train/run_commands.h"
#include "model/train/run_statistics.h"
#include "model/train/teacher_table.h"
#include "report/markdown_table.h"

namespace anybit::model::train {
namespace {

std::string Heading(const std::string& title, std::span<const TrainingRun> runs) {
  std::vector<std::string> networks, images;
  for (const TrainingRun& run : runs) {
    AddNew(networks, run.network());
    AddNew(images, run.images());
  }
  return absl::StrCat("# ", title, "\n\n", absl::StrJoin(networks, ", "), " on ", absl::StrJoin(images, ", "),
                      ". Top-1, %; mean ± standard deviation over seeds.\n");
}

std::string Accuracies(const char* title, std::span<const TrainingRun> runs, AccuracyOf which,
                       Uncertainty uncertainty) {
  if (!HasAccuracy(runs, which)) return "";
  std::string text = absl::StrCat("\n## ", title, "\n\n", AccuracyTable(runs, which));
  const std::string differences = DifferenceTable(runs, which, uncertainty);
  if (differences.empty()) return text;
  const char* interval = uncertainty == Uncertainty::kInterval95 ? ", mean ± half of the 95 % t-interval" : "";
  return absl::StrCat(text, "\nAbove `", runs.front().recipe(), "`, runs of the same seed", interval, ":\n\n",
                      differences);
}

std::string Teachers(std::span<const TrainingRun> runs) {
  const std::string table = TeacherTable(runs);
  return table.empty() ? "" : absl::StrCat("\n## Teachers\n\nShare of a student's taught steps, %:\n\n", table);
}

std::string ListOfRuns(std::span<const TrainingRun> runs) {
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
  return absl::StrCat("\n## Runs\n\n", report::MarkdownTable(rows));
}

}  // namespace

std::string TrainingPage(const std::string& title, std::span<const TrainingRun> runs, Uncertainty uncertainty) {
  std::string page = absl::StrCat(Heading(title, runs), Accuracies("Test set", runs, AccuracyOf::kTest, uncertainty),
                                  Accuracies("Held-out images", runs, AccuracyOf::kHeldOut, uncertainty),
                                  Teachers(runs), ListOfRuns(runs));
  const std::vector<std::string> commands = DistinctCommands(runs);
  if (!commands.empty()) absl::StrAppend(&page, "\n```\n", absl::StrJoin(commands, "\n"), "\n```\n");
  return page;
}

}  // namespace anybit::model::train
