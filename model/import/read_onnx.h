// Reads the graph of an ONNX file (https://onnx.ai; the messages are those of Debian's libonnx).
//
// The file may be anybody's: every size is checked before memory is taken, and nothing but the file and external data
// in its own folder is opened.
#ifndef ANYBIT_MODEL_IMPORT_READ_ONNX_H_
#define ANYBIT_MODEL_IMPORT_READ_ONNX_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/import/float_graph.h"

namespace anybit::model {

inline constexpr int kOldestOpset = 7, kNewestOpset = 21;

// The graph of the file's `text`, its nodes in an order in which each stands after those that it reads. Nodes that no
// output needs are left out. External data are read from `folder`; empty: there are none. InvalidArgument, naming the
// value and its limit,
// - for bytes that are no ONNX model, or of which something is missing;
// - for an opset of ONNX's own domain outside kOldestOpset..kNewestOpset;
// - for too many nodes, tensors or elements;
// - for a node that reads a value of no node, two values of one name, or nodes that read each other in a cycle;
// - for a graph with other than one input, initializers aside, or one whose type is no tensor of floats or bytes.
absl::StatusOr<FloatGraph> ParseOnnx(absl::string_view text, const std::string& folder);

// ParseOnnx of a file of at most 2 GiB, and its folder; the errors of ReadFile.
absl::StatusOr<FloatGraph> ReadOnnx(const std::string& path);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_READ_ONNX_H_
