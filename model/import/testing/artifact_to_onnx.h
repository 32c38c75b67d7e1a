// The fp32 point of an artifact as an ONNX model, as an exporter would write it: for tests, and for other runtimes.
#ifndef ANYBIT_MODEL_IMPORT_TESTING_ARTIFACT_TO_ONNX_H_
#define ANYBIT_MODEL_IMPORT_TESTING_ARTIFACT_TO_ONNX_H_

#include <string>

#include "model/format/artifact_contents.h"

namespace anybit::model {

// A model for inputs code / 255 of shape [n, channels, rows, columns], with batch norm behind each convolution. The
// first point of `artifact` must be fp32, and its rows images.
std::string ArtifactToOnnx(const Artifact& artifact);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TESTING_ARTIFACT_TO_ONNX_H_
