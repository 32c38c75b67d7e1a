// LibTorch's exceptions and thrown Statuses as a Status, at the border of the trainer.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_CAUGHT_STATUS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_CAUGHT_STATUS_H_

#include <c10/core/DeviceGuard.h>
#include <torch/types.h>

#include <exception>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/train/network/synchronized_batch_norm.h"

namespace anybit::model::train {

// The result of `run` on `device`, or the Status that it throws. Unavailable where a process of the group is gone,
// Internal where LibTorch fails.
template <typename Run>
absl::StatusOr<std::invoke_result_t<Run>> CatchStatus(const std::string& device, const Run& run) {
  try {
    const c10::DeviceGuard guard{torch::Device(device)};
    return run();
  } catch (const absl::Status& status) {
    return status;
  } catch (const GroupFailure& failure) {
    return absl::UnavailableError(failure.what());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_CAUGHT_STATUS_H_
