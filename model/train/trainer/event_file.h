// An event file of TensorBoard: records of a training that TensorBoard draws over its steps.
//
// A record is the length of its data (u64, little-endian), the masked CRC-32C of these eight bytes (u32), the data, and
// their masked CRC-32C. A CRC is masked by rotating it right by 15 bits and adding 0xa282ead8. The data are a
// TensorBoardEvent (proto/tensorboard_event.proto).
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_EVENT_FILE_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_EVENT_FILE_H_

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/trainer/step_record.h"
#include "proto/tensorboard_event.pb.h"

namespace anybit::model::train {

using Scalars = std::vector<std::pair<std::string, double>>;  // by tag

// The values of a step: learning_rate, images_per_second, seconds_left, and by point loss/POINT, gradient_norm/POINT,
// saturated/POINT, activation_step/POINT/LAYER. teacher/POINT/OTHER is 1 where OTHER taught POINT and 0 where another
// point did: smoothed, it is the share of the steps.
Scalars ScalarsOf(const StepRecord& record, const Pace& pace);

// The bytes of one record with `data`.
std::string EventRecord(std::string_view data);

class EventFile {
 public:
  // Makes a new file in `folder`, which is made too, for a run that goes on after `done` steps. TensorBoard takes the
  // files of a folder in the order of their names, which begin with the time. Of earlier files it forgets later steps,
  // which this run repeats. `now`: seconds since 1970. Unavailable where the file cannot be made.
  static absl::StatusOr<EventFile> Create(const std::string& folder, int64_t done, double now);

  // Unavailable where the file cannot be written.
  absl::Status Write(int64_t step, double now, const Scalars& scalars);

  const std::string& path() const { return path_; }

 private:
  explicit EventFile(const std::string& path) : path_(path), file_(path, std::ios::binary) {}

  absl::Status Append(const proto::TensorBoardEvent& event);

  std::string path_;
  std::ofstream file_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_EVENT_FILE_H_
