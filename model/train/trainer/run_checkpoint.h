// The checkpoint file of one run: saves the run's state and restores it into the same run.
//
// The first save keeps the file of another run as *.previous instead of overwriting it. Only the first process of a
// group has one.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_RUN_CHECKPOINT_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_RUN_CHECKPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/trainer/network_state.h"

namespace anybit::model::train {

class RunCheckpoint {
 public:
  // `path` may be empty: then Save does nothing. `resumes`: a file at `path` belongs to this run and may be
  // overwritten.
  RunCheckpoint(std::string path, std::string identity, bool resumes);

  // Copies the file's values into the tensors of `state` and returns the number of finished steps. Tensors of
  // `optional` keep their values where the file has none of their name. NotFound where there is no file;
  // InvalidArgument, with both identities, where the file belongs to another run; the errors of ReadCheckpoint and
  // Restore.
  absl::StatusOr<int64_t> Load(const NamedTensors& state, const NamedTensors& optional = {}) const;

  // Writes `state` after `step` finished steps. Returns the path under which the file of another run was kept, or "".
  // The errors of WriteCheckpoint and KeepEarlierCheckpoint.
  absl::StatusOr<std::string> Save(int64_t step, const NamedTensors& state);

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  const std::string identity_;
  bool file_is_own_;  // the file at path_, if any, was written by this run
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_RUN_CHECKPOINT_H_
