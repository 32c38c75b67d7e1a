// The result of a run: accuracies on the test images, artifacts and the report.
#ifndef ANYBIT_MODEL_TRAIN_TRAIN_RESULTS_H_
#define ANYBIT_MODEL_TRAIN_TRAIN_RESULTS_H_

#include <ostream>
#include <vector>

#include "absl/status/status.h"
#include "model/train/run_file.h"
#include "model/train/task.h"
#include "model/train/train_flags.h"
#include "model/train/trainer/training_result.h"

namespace anybit::model::train {

// Measures the test images with the engine that will serve, once, after the last choice, unless `task` has none. Then
// writes the artifacts and the report, and shows the report in `shown`. `run` has everything but the points.
// Cancelled between two points where `request.options.stop` is set; the errors of evaluation and of writing.
absl::Status FinishRun(std::vector<TrainingResult> results, const Task& task, const TrainRequest& request,
                       TrainingRun run, std::ostream& shown);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAIN_RESULTS_H_
