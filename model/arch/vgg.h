// VGG-16 after Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015, in
// its usual form for small images: batch norm after every convolution, and one linear layer instead of three.
#ifndef ANYBIT_MODEL_ARCH_VGG_H_
#define ANYBIT_MODEL_ARCH_VGG_H_

#include "model/arch/spec_writer.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// Nodes "stage<i>.conv<j>", "stage<i>.pool" (where more than one pixel is left), "pool", "head". For 32x32x3 inputs and
// ten classes 313 million multiplications a row and 14.7 million weights.
NetworkSpec Vgg16(const ImageTask& task = {});

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_VGG_H_
