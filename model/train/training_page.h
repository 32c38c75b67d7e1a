// The page about training runs: tables of accuracies, the list of runs, and their commands, in Markdown.
#ifndef ANYBIT_MODEL_TRAIN_TRAINING_PAGE_H_
#define ANYBIT_MODEL_TRAIN_TRAINING_PAGE_H_

#include <span>
#include <string>

#include "model/train/accuracy_tables.h"
#include "model/train/run_file.h"

namespace anybit::model::train {

// Differences between recipes are shown with `uncertainty`, accuracies with their standard deviation.
std::string TrainingPage(const std::string& title, std::span<const TrainingRun> runs,
                         Uncertainty uncertainty = Uncertainty::kDeviation);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINING_PAGE_H_
