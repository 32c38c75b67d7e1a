// MobileNetV2 after Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018: blocks of a 1x1
// expansion, a depthwise 3x3 and a 1x1 projection without ReLU. Its ReLU6 is a plain ReLU here: training finds the
// range of activations at every quantized point.
#ifndef ANYBIT_MODEL_ARCH_MOBILENET_V2_H_
#define ANYBIT_MODEL_ARCH_MOBILENET_V2_H_

#include "model/arch/spec_writer.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// Nodes "stem", "stage<i>.block<j>.{expand,depthwise,project}", "last", "pool", "head". As published, at 224x224x3 and
// 1000 classes: 300 million multiplications a row and 3.5 million weights. For small images the stem and the second
// stage do not stride: at 32x32x3 and ten classes 88 million and 2.2 million. Scaled channels are multiples of 8.
NetworkSpec MobileNetV2(const ImageTask& task = {});
NetworkSpec MobileNetV2ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_MOBILENET_V2_H_
