// The state of a training run in a file that survives kill -9 at any instant.
//
// A safetensors file (model/format/safetensors.h) of float tensors. It is written beside its place, flushed to the
// disk, then renamed: a reader finds the last whole checkpoint or the one before it, never half of one.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit {

struct Checkpoint {
  struct Values {
    std::vector<int64_t> shape;
    std::vector<float> values;
  };

  std::string identity;  // all that makes the run this run
  int64_t step = 0;      // steps that are done
  std::map<std::string, Values> tensors;
};

// Unavailable where the file cannot be written.
absl::Status WriteCheckpoint(const Checkpoint& checkpoint, const std::string& path);

// Renames a checkpoint at `path` to `path`.previous: a run that begins anew does not write over what another one
// learned. Whether there was one. Unavailable where it cannot be renamed.
absl::StatusOr<bool> KeepEarlierCheckpoint(const std::string& path);

// NotFound where there is no file, Unavailable where it cannot be read, DataLoss where it is no checkpoint.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_CHECKPOINT_H_
