// Tables of the accuracies of training runs, in Markdown.
#ifndef ANYBIT_MODEL_TRAIN_ACCURACY_TABLES_H_
#define ANYBIT_MODEL_TRAIN_ACCURACY_TABLES_H_

#include <span>
#include <string>

#include "model/train/run_statistics.h"

namespace anybit::model::train {

// A row per recipe, a column per point: percent, mean ± standard deviation where there are several values, "-" where
// there are none.
std::string AccuracyTable(std::span<const TrainingRun> runs, AccuracyOf which);

// The number after ± of a difference.
enum class Uncertainty {
  kDeviation,   // standard deviation over seeds
  kInterval95,  // half of the 95 % confidence interval of the mean, by Student's t
};

// A row per recipe after the first, a column per point: the difference in percent between runs of this recipe and runs
// of the first with the same seed, mean ± uncertainty; "-" without equal seeds. Runs with the same seed have the
// same initial weights and images, so that differences vary less than accuracies. Empty where nothing is comparable.
std::string DifferenceTable(std::span<const TrainingRun> runs, AccuracyOf which,
                            Uncertainty uncertainty = Uncertainty::kDeviation);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_ACCURACY_TABLES_H_
