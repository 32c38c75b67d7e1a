// From a float network as another tool wrote it to layers that a NetworkSpec can express.
#ifndef ANYBIT_MODEL_IMPORT_LOWER_GRAPH_H_
#define ANYBIT_MODEL_IMPORT_LOWER_GRAPH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/import/float_graph.h"
#include "model/import/float_layers.h"

namespace anybit::model {

// How the float network's input follows from codes: (code / 255 - mean) / deviation. For an input of bytes it is the
// code itself, and both must be empty.
struct InputScaling {
  std::vector<float> mean;       // one per channel, or one for all; empty: 0
  std::vector<float> deviation;  // > 0, likewise; empty: 1
};

// The layers of `graph`, in an order in which each stands after those that it reads; the last is linear. Operators that
// no layer computes are refused with InvalidArgument, which names node, operator and what is accepted.
absl::StatusOr<FloatLayers> LowerGraph(const FloatGraph& graph, const InputScaling& scaling);

// The names of all operators that LowerGraph knows, in alphabetical order.
std::vector<std::string> SupportedOperators();

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_LOWER_GRAPH_H_
