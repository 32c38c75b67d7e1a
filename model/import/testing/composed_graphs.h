// ONNX models of operators that no single layer computes, with random weights.
#ifndef ANYBIT_MODEL_IMPORT_TESTING_COMPOSED_GRAPHS_H_
#define ANYBIT_MODEL_IMPORT_TESTING_COMPOSED_GRAPHS_H_

#include <string>

namespace anybit::model {

// Blocks as in MobileNetV2, exported from TensorFlow: ReLU6, padding that differs between sides, a mean by ReduceMean.
std::string MobileGraph();

// Blocks as in GoogLeNet and ResNeXt: concatenation, average pools, max pools with ceil_mode, groups, dilation.
std::string BranchedGraph();

// Blocks of MobileNetV3 and of EfficientNet, with activations in the parts that exporters write, and others.
std::string GatedGraph();

// Blocks of ShuffleNetV2: channels split into halves, concatenated and shuffled.
std::string ShuffledGraph();

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TESTING_COMPOSED_GRAPHS_H_
