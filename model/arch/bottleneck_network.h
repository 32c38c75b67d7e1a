// Residual networks of bottleneck blocks (1x1, 3x3, 1x1 convolutions and a shortcut), after He et al., "Deep Residual
// Learning for Image Recognition", 2016. The 3x3 convolution strides, not the first 1x1, as is common today.
#ifndef ANYBIT_MODEL_ARCH_BOTTLENECK_NETWORK_H_
#define ANYBIT_MODEL_ARCH_BOTTLENECK_NETWORK_H_

#include "model/arch/spec_writer.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// ResNet-50: nodes "stem" (and "stem.pool"), "stage<i>.block<j>.{shortcut,conv1,conv2,conv3}", "pool", "head". For
// 32x32x3 inputs and ten classes 1.3 billion multiplications a row; with the ImageNet stem, at 224x224x3 and 1000
// classes, 4.1 billion and 25.5 million weights.
NetworkSpec ResNet50(const ImageTask& task = {});
NetworkSpec ResNet50ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});

// The same of more blocks, for ImageNet: 7.8 and 11.5 billion multiplications, 44.4 and 60.0 million weights.
NetworkSpec ResNet101ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});
NetworkSpec ResNet152ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_BOTTLENECK_NETWORK_H_
