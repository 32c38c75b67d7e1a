// The last step of lowering: the rules of a NetworkSpec that concern more than one layer.
#ifndef ANYBIT_MODEL_IMPORT_FINISH_LAYERS_H_
#define ANYBIT_MODEL_IMPORT_FINISH_LAYERS_H_

#include "absl/status/statusor.h"
#include "model/import/lowering.h"

namespace anybit::model {

// The layers that the graph's output needs, in order. The last one is linear: one of weights 1 is added where the
// network ends otherwise. Global pools that another layer than the last reads become convolutions. InvalidArgument,
// naming the node, for an output of more than one place, and for what reads a layer without ReLU but may not.
absl::StatusOr<FloatLayers> FinishLayers(Lowering& state);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_FINISH_LAYERS_H_
