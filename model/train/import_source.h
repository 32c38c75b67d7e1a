// A float network that was trained elsewhere, with the examples for its conversion.
#ifndef ANYBIT_MODEL_TRAIN_IMPORT_SOURCE_H_
#define ANYBIT_MODEL_TRAIN_IMPORT_SOURCE_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact_contents.h"
#include "model/train/convert/float_import.h"

namespace anybit::model::train {

// Where network and examples come from.
struct ImportPlaces {
  std::string onnx;         // an ONNX file; empty: `weights`, of the architecture `arch`
  std::string weights;      // a safetensors file
  std::string arch;         // see ArchitectureByName
  std::string data;         // labelled examples (see OpenExamples), or empty
  std::string calibration;  // a folder of images without labels, or empty
  std::string labels;       // a file with the name of each class on a line, or empty
  std::string name;         // of the network; empty: that of the file or architecture
  std::string output;       // of `onnx`, where it has several outputs
  InputNormalisation normalisation;
  std::string border = "mean";  // what the network's input is padded with: "mean", as the float network, or "black"
  // How clients may send floats: "nchw", "nhwc", "none", or "auto": as the float network reads them.
  std::string float_input = "auto";
};

struct ImportSource {
  Artifact full;                           // its one point is fp32
  std::vector<float> border;               // the code per channel that the float network pads with; empty: 0
  std::vector<std::string> sparse;         // layers whose zeros codes of one bit cannot hold
  std::string architecture;                // in reports
  std::unique_ptr<ExampleSet> estimation;  // rows for ranges
  std::unique_ptr<ExampleSet> test;        // rows for accuracies
  bool labelled = true;                    // else accuracies are agreement with the float network
};

// Reads the network and opens the examples; tells `log` about the network. InvalidArgument, with the flag that would
// help, where they do not fit together; the errors of the readers.
absl::StatusOr<ImportSource> OpenImportSource(const ImportPlaces& places, std::ostream& log);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_IMPORT_SOURCE_H_
