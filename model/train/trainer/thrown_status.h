// A Status as an exception: inside a run it travels like the exceptions of LibTorch, and Train catches both.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_THROWN_STATUS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_THROWN_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit::model::train {

inline void Check(const absl::Status& status) {
  if (!status.ok()) throw status;
}

template <typename T>
T ValueOf(absl::StatusOr<T> result) {
  Check(result.status());
  return *std::move(result);
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_THROWN_STATUS_H_
