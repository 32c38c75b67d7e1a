// The log of a training, for programs that watch it: a line of JSON for each step, or for every N-th one.
//
//   {"step":12,"phase":"joint","learning_rate":0.004,"images_per_second":3100,"seconds_left":42,"points":{"w4a4":
//    {"loss":0.61,"teacher":"fp32","gradient_norm":0.8,"saturated":0.02,"activation_steps":{"stem":0.05}}}}
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_

#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace anybit::model::train {

struct PointRecord {
  std::string point;
  double loss = 0;                     // by the labels
  std::optional<std::string> teacher;  // that gave logits, blocks, or both
  double gradient_norm = 0;            // of all gradients that this point added
  std::optional<double> saturated;     // share of activations beyond their range; of quantized points
  std::vector<std::pair<std::string, double>> activation_steps;  // by layer; of quantized points
};

struct StepRecord {
  int64_t step = 0;  // number of finished steps
  bool joint = false;
  double learning_rate = 0;
  std::vector<PointRecord> points;
};

struct Pace {
  double images_per_second = 0;  // since the last line
  double seconds_left = 0;       // at the mean pace since the program began
};

// One line, without its end.
std::string StepLine(const StepRecord& record, const Pace& pace);

class StepLog {
 public:
  // Writes to the file at `path`, which it empties unless `appends`; an empty path: nothing. `total`: steps of the run,
  // of which `done` were finished earlier; each has `images` images in all processes.
  StepLog(const std::string& path, bool appends, int64_t interval, int64_t total, int64_t done, int64_t images);

  // Whether the step after which `step` are finished is logged.
  bool IsDue(int64_t step) const { return file_.has_value() && step % interval_ == 0; }

  // Unavailable where the file cannot be written.
  absl::Status Write(const StepRecord& record);

 private:
  const std::string path_;
  const int64_t interval_, total_, first_, images_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_time_;
  int64_t last_step_;
  std::optional<std::ofstream> file_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_STEP_LOG_H_
