// The result of a training.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_RESULT_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_RESULT_H_

#include <cstdint>

#include "model/format/artifact.h"
#include "model/train/trainer/teacher_counts.h"

namespace anybit::model::train {

struct TrainingResult {
  Artifact artifact;       // with its accuracies on the held-out part
  TeacherCounts teachers;  // by points in the order of the artifact's, over all steps of the run
  int64_t step = 0;        // after which the network was this one: the last, or the best (TrainerOptions::keep_best)
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_RESULT_H_
