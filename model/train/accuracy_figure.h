// A figure of the accuracies of training runs against bits, in SVG.
#ifndef ANYBIT_MODEL_TRAIN_ACCURACY_FIGURE_H_
#define ANYBIT_MODEL_TRAIN_ACCURACY_FIGURE_H_

#include <span>
#include <string>

#include "model/train/run_statistics.h"

namespace anybit::model::train {

// A line per recipe over the mean of weight and activation bits, with bars of a standard deviation; full precision is
// at the right end. A point with fitted ranges is not joined to the line where another point of the recipe is within
// half a bit.
std::string AccuracyFigure(std::span<const TrainingRun> runs, AccuracyOf which, const std::string& caption);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_ACCURACY_FIGURE_H_
