// Agreement of all processes of a group to end a run.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_STOP_REQUEST_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_STOP_REQUEST_H_

#include "absl/status/statusor.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

// Whether TrainerOptions::stop of any process is set. If so, every process then has the highest of their numbers in its
// own. All processes call it after the same step; it costs one small message and, on a GPU, the wait for it. The errors
// of the group.
absl::StatusOr<bool> StopRequested(const TrainerOptions& options);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_STOP_REQUEST_H_
