// A network as its users see it: name, input, output and operating points.
#ifndef ANYBIT_MODEL_FORMAT_NETWORK_DESCRIPTION_H_
#define ANYBIT_MODEL_FORMAT_NETWORK_DESCRIPTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/format/float_input.h"
#include "model/format/operating_point.h"

namespace anybit::model {

// One row of the network's input or output. Inputs are u8 codes, outputs are float32; both are row-major (NHWC).
struct TensorDescription {
  std::string name;
  std::vector<int64_t> shape;  // without the batch dimension, e.g. {32, 32, 1}
  int64_t elements = 0;        // the product of shape
};

struct NetworkDescription {
  std::string name;
  int64_t version = 1;                 // > 0
  TensorDescription input;             // u8
  std::optional<FloatInput> floats;    // what float inputs stand for; absent: the network takes none
  TensorDescription output;            // float32 logits
  std::vector<std::string> labels;     // one per logit, or empty
  std::vector<OperatingPoint> points;  // 1..64
  std::string checksum;                // of the artifact's file; empty where there is none
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_NETWORK_DESCRIPTION_H_
