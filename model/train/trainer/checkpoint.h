// The file format of a training run's state, written so that it survives kill -9 at any instant.
//
// A checkpoint is a safetensors file (model/format/safetensors.h) of float tensors. It is written to a file beside its
// final path, flushed to the disk, then renamed. A reader finds the latest complete checkpoint or the previous one.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit::model::train {

struct Checkpoint {
  struct Values {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };

  std::string identity;  // of the run (run_identity.h)
  int64_t step = 0;      // number of finished steps
  std::map<std::string, Values> tensors;
};

// Unavailable where the file cannot be written.
absl::Status WriteCheckpoint(const Checkpoint& checkpoint, const std::string& path);

// Renames a checkpoint at `path` to `path`.previous, so that a new run does not overwrite the checkpoint of another.
// Returns whether there was one. Unavailable where it cannot be renamed.
absl::StatusOr<bool> KeepEarlierCheckpoint(const std::string& path);

// NotFound where there is no file, Unavailable where it cannot be read, DataLoss where it is not a checkpoint.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_
