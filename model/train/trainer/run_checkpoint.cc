#include "model/train/trainer/run_checkpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit::model::train {

RunCheckpoint::RunCheckpoint(std::string path, std::string identity, bool resumes)
    : path_(std::move(path)), identity_(std::move(identity)), file_is_own_(resumes) {}

absl::StatusOr<int64_t> RunCheckpoint::Load(const NamedTensors& state, const NamedTensors& optional) const {
  const absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(path_);
  if (!checkpoint.ok()) return checkpoint.status();
  if (checkpoint->identity != identity_) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint '", path_, "' is of another run: it has [",
                                                   checkpoint->identity, "], this one [", identity_, "]"));
  }
  for (const auto& [name, tensor] : state) {
    if (absl::Status status = Restore(*checkpoint, name, tensor); !status.ok()) return status;
  }
  for (const auto& [name, tensor] : optional) {
    if (!checkpoint->tensors.contains(name)) continue;
    if (absl::Status status = Restore(*checkpoint, name, tensor); !status.ok()) return status;
  }
  return checkpoint->step;
}

absl::StatusOr<std::string> RunCheckpoint::Save(int64_t step, const NamedTensors& state) {
  if (path_.empty()) return "";
  std::string kept;
  if (!std::exchange(file_is_own_, true)) {
    const absl::StatusOr<bool> existed = KeepEarlierCheckpoint(path_);
    if (!existed.ok()) return existed.status();
    if (*existed) kept = absl::StrCat(path_, ".previous");
  }
  Checkpoint checkpoint{.identity = identity_, .step = step};
  for (const auto& [name, tensor] : state) checkpoint.tensors[name] = ToValues(tensor);
  if (absl::Status status = WriteCheckpoint(checkpoint, path_); !status.ok()) return status;
  return kept;
}

}  // namespace anybit::model::train
