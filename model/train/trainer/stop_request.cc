#include "model/train/trainer/stop_request.h"

#include <torch/types.h>

#include <algorithm>

#include "model/train/processes/process_group.h"

namespace anybit::model::train {
namespace {

constexpr int kHighestSignal = 64;  // of Linux

}  // namespace

absl::StatusOr<bool> StopRequested(const TrainerOptions& options) {
  if (options.stop == nullptr) return false;
  if (options.group == nullptr) return *options.stop != 0;
  // A group has sums but no maximum, so each number has an element of its own.
  torch::Tensor votes = torch::zeros({kHighestSignal + 1}, torch::TensorOptions(torch::Device(options.device)));
  if (const int own = *options.stop; own != 0) votes[std::clamp(own, 1, kHighestSignal)].fill_(1);
  if (absl::Status status = options.group->Sum({votes}); !status.ok()) return status;
  const torch::Tensor requested = votes.nonzero().cpu();
  if (requested.numel() == 0) return false;
  *options.stop = static_cast<int>(requested.max().item<int64_t>());
  return true;
}

}  // namespace anybit::model::train
