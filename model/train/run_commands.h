// The commands of training runs, compared without their seeds.
#ifndef ANYBIT_MODEL_TRAIN_RUN_COMMANDS_H_
#define ANYBIT_MODEL_TRAIN_RUN_COMMANDS_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/train/run_file.h"

namespace anybit::model::train {

// InvalidArgument where runs of one name have commands that differ in more than their seeds: their mean would have no
// meaning. Runs that train different points of one name may also differ in --points.
absl::Status CheckAlike(std::span<const TrainingRun> runs);

// The commands of all runs; of those that differ only in their seeds, the first.
std::vector<std::string> DistinctCommands(std::span<const TrainingRun> runs);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RUN_COMMANDS_H_
