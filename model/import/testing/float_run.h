// The fp32 point of an artifact by definition, in double and on any numbers instead of codes: what ONNX's own test data
// need. The engine is compared with it elsewhere.
#ifndef ANYBIT_MODEL_IMPORT_TESTING_FLOAT_RUN_H_
#define ANYBIT_MODEL_IMPORT_TESTING_FLOAT_RUN_H_

#include <span>
#include <vector>

#include "model/format/artifact_contents.h"

namespace anybit::model {

// The logits of one row; `input` are its values in NHWC order. The first point must be the full-precision one.
std::vector<double> FloatRun(const Artifact& artifact, std::span<const double> input);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TESTING_FLOAT_RUN_H_
