// A float network in an ONNX file as an artifact with one operating point, fp32.
//
//   absl::StatusOr<ImportedNetwork> network = ImportOnnx("resnet.onnx", {.scaling = {.mean = {.5f}}});
//   QuantizeAfterTraining(network->artifact, points, images, network->border, Rounding::kJoint);
//
// docs/import.md lists operators and limits.
#ifndef ANYBIT_MODEL_IMPORT_IMPORT_ONNX_H_
#define ANYBIT_MODEL_IMPORT_IMPORT_ONNX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/artifact_contents.h"
#include "model/import/float_layers.h"
#include "model/import/lower_graph.h"

namespace anybit::model {

struct ImportOptions {
  std::string name;                 // of the network; empty: that of the file, or of the graph
  std::vector<std::string> labels;  // one per class, or none
  InputScaling scaling;
  std::string output;  // of several outputs the one that the artifact has; empty: the only one
};

struct ImportedNetwork {
  Artifact artifact;
  InputForm input_form = InputForm::kChannelsFirst;
  // The code per channel that stands for the float network's 0, with which it pads its input; empty: 0. Where it is
  // outside 0..255 the artifact pads with code 0 all the same; else its padding_code is this.
  std::vector<float> border;
  std::vector<std::string> notes;   // for the user: what was left out, what runs otherwise than in the file
  std::vector<std::string> sparse;  // layers with weights that must be 0, which codes of one bit cannot be
};

// The errors of ReadOnnx, LowerGraph and ToArtifact.
absl::StatusOr<ImportedNetwork> ImportOnnx(const std::string& path, const ImportOptions& options);

// The same of a file's text without external data.
absl::StatusOr<ImportedNetwork> ImportOnnxText(absl::string_view text, const ImportOptions& options);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_IMPORT_ONNX_H_
