// Training runs for readers: a table of accuracies with their spread over seeds, a figure of accuracy against bits,
// JSON.
//
// It makes texts, not files. Recipes and points stand in the order in which the runs first name them. What varies
// within a recipe is taken as seeds of it: a recipe that trains one network per point is several runs of the same
// name.
#ifndef ANYBIT_MODEL_TRAIN_REPORT_H_
#define ANYBIT_MODEL_TRAIN_REPORT_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/recipe/point_recipe.h"
#include "proto/training_run.pb.h"

namespace anybit {

using proto::PointResult;
using proto::TrainingRun;

// log2 of the number of codes 0..highest or lo..hi.
double BitsOfLevels(int64_t levels);

// The point without accuracies.
PointResult ResultOf(const PointRecipe& point);

// The file of one run. InvalidArgument, saying where, for text that is no such file or has accuracies outside 0..1.
std::string SerializeRun(const TrainingRun& run);
absl::StatusOr<TrainingRun> ParseRun(absl::string_view json);

enum class AccuracyOf { kHeldOut, kTest };

// A row per recipe, a column per point: percent, mean ± sample standard deviation where there are several values; "-"
// where there is none. Markdown.
std::string AccuracyTable(std::span<const TrainingRun> runs, AccuracyOf which);

// A row per recipe but the first, a column per point: by how many percent its runs are above those of the first recipe
// with the same seed, mean ± sample standard deviation; "-" where no seeds are equal. Runs of one seed start alike and
// see the same images, so these spread less than the accuracies do. Markdown; empty where there is nothing to compare.
std::string DifferenceTable(std::span<const TrainingRun> runs, AccuracyOf which);

// InvalidArgument where runs of one name have commands that differ in more than their seeds: their mean would be of
// nothing. Where a store serves one point there is a run for each, and their points differ too.
absl::Status CheckAlike(std::span<const TrainingRun> runs);

// A line per recipe over the mean of weight and activation bits, with bars of a standard deviation; full precision at
// the right end. A point whose ranges are fitted stands beside the line where another of its recipe is within half a
// bit. SVG.
std::string AccuracyFigure(std::span<const TrainingRun> runs, AccuracyOf which, const std::string& caption);

// A page of these tables, what was trained, and the commands.
std::string TrainingPage(const std::string& title, std::span<const TrainingRun> runs);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_REPORT_H_
