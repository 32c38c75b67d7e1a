// What a training writes while it runs, for those who watch it: lines of JSON (step_log.h), events of TensorBoard
// (event_file.h), or both. Logs have no effect on the result.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_LOG_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_LOG_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/format/artifact.h"
#include "model/train/trainer/event_file.h"
#include "model/train/trainer/step_log.h"
#include "model/train/trainer/step_record.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

class TrainingLog {
 public:
  // For a run of which `done` steps were finished earlier. Of a group only the first process logs. Unavailable where
  // TensorBoard's folder cannot be written.
  static absl::StatusOr<TrainingLog> Create(const TrainerOptions& options, int64_t done);

  // Whether the step after which `step` are finished is logged.
  bool IsDue(int64_t step) const { return (lines_.has_value() || events_.has_value()) && step % interval_ == 0; }

  // Unavailable where a file cannot be written.
  absl::Status Write(const StepRecord& record);

  // Held-out accuracies of the network after `step` steps, as events. Unavailable where they cannot be written.
  absl::Status WriteAccuracies(int64_t step, const Artifact& artifact);

 private:
  TrainingLog(const TrainerOptions& options, int64_t done);

  Pace PaceAt(int64_t step);

  int64_t interval_, total_, first_, images_;
  std::chrono::steady_clock::time_point start_, last_time_;
  int64_t last_step_;
  std::optional<StepLog> lines_;
  std::optional<EventFile> events_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINING_LOG_H_
