// The operators that turn into layers, one function each.
#ifndef ANYBIT_MODEL_IMPORT_OPERATORS_H_
#define ANYBIT_MODEL_IMPORT_OPERATORS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "model/import/lowering.h"

namespace anybit::model {

// Adds the layers of a node to the state, and names its first output. InvalidArgument, naming node, operator and what
// would be accepted, where no layer can compute it.
using LowerOperator = absl::Status (*)(const GraphNode& node, Lowering& state);
using OperatorTable = std::map<std::string, LowerOperator>;

void AddWindowOperators(OperatorTable& table);     // convolutions and pools
void AddChannelOperators(OperatorTable& table);    // choices of channels
void AddConcatOperator(OperatorTable& table);      // of channels
void AddLinearOperators(OperatorTable& table);     // products with matrices
void AddPointwiseOperators(OperatorTable& table);  // batch norm, activations, sums
void AddShapeOperators(OperatorTable& table);      // what only rearranges or copies

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_OPERATORS_H_
