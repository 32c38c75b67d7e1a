// The log of a training as text: a line of JSON for each logged step.
//
//   {"step":12,"phase":"joint","learning_rate":0.004,"images_per_second":3100,"seconds_left":42,"points":{"w4a4":
//    {"loss":0.61,"teacher":"fp32","gradient_norm":0.8,"saturated":0.02,"activation_steps":{"stem":0.05}}}}
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "model/train/trainer/step_record.h"

namespace anybit::model::train {

// One line, without its end.
std::string StepLine(const StepRecord& record, const Pace& pace);

class StepLog {
 public:
  // Writes to the file at `path`, which it empties unless `appends`.
  StepLog(const std::string& path, bool appends);

  // Unavailable where the file cannot be written.
  absl::Status Write(const StepRecord& record, const Pace& pace);

 private:
  const std::string path_;
  std::ofstream file_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_
