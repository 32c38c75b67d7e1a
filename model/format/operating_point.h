// One way to run the whole network, as seen from outside the engine.
#ifndef ANYBIT_MODEL_FORMAT_OPERATING_POINT_H_
#define ANYBIT_MODEL_FORMAT_OPERATING_POINT_H_

#include <string>

#include "absl/status/status.h"

namespace anybit::model {

struct OperatingPoint {
  std::string name;         // unique within an artifact: "fp32", "bf16", "w8a8", "w4a4f"
  int weight_bits = 0;      // of the codes between first and last layer: 1..8, the fewest where they differ; 16:
                            // bfloat16, 32: float
  int activation_bits = 0;  // likewise
  double accuracy = 0;      // top-1 on the held-out test set, as a fraction 0..1
};

// InvalidArgument unless `name` has 1..64 characters of [a-z0-9_] and is neither "store" nor "full", which name tensors
// of an artifact (model/format/artifact.h). Dots and commas would break tensor names and lists.
absl::Status CheckPointName(const std::string& name);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_OPERATING_POINT_H_
