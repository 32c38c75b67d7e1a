// The full-precision point of an artifact as a safetensors file for other tools; the inverse of float_import.h.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_EXPORT_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_EXPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/format/artifact.h"

namespace anybit::model::train {

// A file with torchvision's names, for inputs code / 255. Scales and biases become batch norm with mean 0 and
// variance 1. InvalidArgument for an artifact without a full-precision point, or with nodes that have no names there.
absl::StatusOr<std::string> ExportFloatNetwork(const Artifact& artifact, double norm_epsilon = 1e-5);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_FLOAT_EXPORT_H_
