// Residual networks of basic blocks (two 3x3 convolutions and a shortcut), after He et al., "Deep Residual Learning for
// Image Recognition", 2016. The default network differs in one way that makes every bit-width fast: instead of
// strided convolutions it has 2x2 max pools on integer codes, so that nearly all multiplications are in 3x3 stride-1
// convolutions. ResNet-18 and ResNet-20 stride as published, for comparison with published figures.
#ifndef ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_
#define ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/arch/spec_writer.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// The operation that halves the maps of each stage but the first.
enum class Downsampling : uint8_t {
  kMaxPool,  // a 2x2 max pool before the stage
  kStride,   // the stage's first 3x3 convolution and its shortcut have stride 2
};

struct BasicBlockShape {
  std::string name;
  int side = 32;  // input height and width
  int input_channels = 1;
  int stem_stride = 2;
  std::vector<int> stages = {64, 128, 256};  // channels
  int blocks_per_stage = 1;
  std::vector<int> blocks = {};  // of each stage; empty: blocks_per_stage of all
  Downsampling downsampling = Downsampling::kMaxPool;
  int classes = 10;
  bool imagenet_stem = false;  // a 7x7 convolution of stride 2 and a 3x3 pool of stride 2
  bool shortcut_relu = true;   // after a shortcut's convolution; the published networks have none
};

// The network of `shape`: nodes "stem" (and "stem.pool"), then "stage<i>.pool" (with kMaxPool) and
// "stage<i>.block<j>.{conv1,conv2,shortcut}", "pool", "head". A shortcut is the identity, or a 1x1 convolution where
// channels or map change.
NetworkSpec BasicBlockNetwork(const BasicBlockShape& shape);

// The default: 32x32x1 inputs, stem with stride 2 to 16x16x64, one block each at 64, 128 and 256 channels; 48 million
// multiplications a row. `width_divisor` divides the channels (1: the default network; 8: a small one for tests).
NetworkSpec FashionNetwork(int width_divisor = 1);

// The same layers for another task, without labels.
NetworkSpec FashionNetwork(const ImageTask& task);

// He et al.'s networks, with 1x1 convolutions without ReLU as shortcuts. For 32x32x3 inputs and ten classes: ResNet-18
// (stages of 64 to 512 channels, two blocks each; 555 million multiplications a row) and ResNet-34 (3, 4, 6 and 3
// blocks); ResNet-20 (16 to 64 channels, three blocks each; 41 million; five times as wide, as in Yu et al.,
// "Any-Precision Deep Neural Networks", 2021: 1.0 billion), and the same of 5, 7, 9 and 18 blocks.
NetworkSpec ResNet18(const ImageTask& task = {});
NetworkSpec ResNet34(const ImageTask& task = {});
NetworkSpec ResNet20(const ImageTask& task = {});
NetworkSpec ResNet32(const ImageTask& task = {});
NetworkSpec ResNet44(const ImageTask& task = {});
NetworkSpec ResNet56(const ImageTask& task = {});
NetworkSpec ResNet110(const ImageTask& task = {});

// As for ImageNet: at 224x224x3 and 1000 classes ResNet-18 has 1.8 billion multiplications and 11.7 million weights,
// ResNet-34 3.7 billion and 21.8 million.
NetworkSpec ResNet18ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});
NetworkSpec ResNet34ImageNet(const ImageTask& task = {.side = 224, .classes = 1000});

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_BASIC_BLOCK_NETWORK_H_
