// Nodes of constants only, computed at import: shapes that exporters compute step by step, and arithmetic on weights.
#ifndef ANYBIT_MODEL_IMPORT_FOLD_CONSTANTS_H_
#define ANYBIT_MODEL_IMPORT_FOLD_CONSTANTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/import/float_graph.h"

namespace anybit::model {

// Operators that FoldNode computes.
bool CanFold(absl::string_view op);

// The output of `node`, whose inputs are `inputs`; null for one that is left out. The definitions are those of ONNX.
// InvalidArgument, naming the node, for inputs that do not fit, an operator that CanFold does not know, and results of
// more than 2^26 elements.
absl::StatusOr<Constant> FoldNode(const GraphNode& node, const std::vector<const Constant*>& inputs, int opset);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_FOLD_CONSTANTS_H_
