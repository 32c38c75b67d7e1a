// The state of a training after one step, for logs.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_STEP_RECORD_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_STEP_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  std::vector<PointRecord> points;  // in the order in which they ran: teachers before their students
};

struct Pace {
  double images_per_second = 0;  // since the last record
  double seconds_left = 0;       // at the mean pace since the program began
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_STEP_RECORD_H_
