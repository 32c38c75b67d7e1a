// Residual networks of basic blocks (two 3x3 stride-1 convolutions and a shortcut), after He et al., "Deep Residual
// Learning for Image Recognition", 2016, changed where it makes every bit-width fast: blocks never stride; a 2x2 max pool
// on integer codes goes before them instead, so that nearly all multiplications are in 3x3 stride-1 convolutions.
#ifndef ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_
#define ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_

#include <string>
#include <vector>

#include "model/network_spec.h"

namespace anybit {

struct BasicBlockShape {
  std::string name;
  int side = 32;                              // input height and width
  int input_channels = 1;
  int stem_stride = 2;
  std::vector<int> stages = {64, 128, 256};   // channels; a 2x2 max pool before each stage but the first
  int blocks_per_stage = 1;
  int classes = 10;
};

// The network of `shape`: nodes "stem", then "stage<i>.pool" and "stage<i>.block<j>.{conv1,conv2,shortcut}", "pool", "head".
// A shortcut is the identity, or a 1x1 convolution where the channels change.
NetworkSpec BasicBlockNetwork(const BasicBlockShape& shape);

// The default: 32x32x1 inputs, stem with stride 2 to 16x16x64, one block each at 64, 128 and 256 channels; 48 million
// multiplications a row. `width_divisor` divides the channels (1: the default network; 8: a small one for tests).
NetworkSpec FashionNetwork(int width_divisor = 1);

}  // namespace anybit

#endif  // ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_
