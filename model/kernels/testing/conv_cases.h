// The convolutions that every engine's kernels are tested on: shapes, and ranges of weights and codes.
#ifndef ANYBIT_MODEL_KERNELS_TESTING_CONV_CASES_H_
#define ANYBIT_MODEL_KERNELS_TESTING_CONV_CASES_H_

#include <cstdint>

#include "model/format/network_spec.h"

namespace anybit::model {

struct ConvShape {
  int64_t height, width, in, out;
  int kernel, stride, padding;
  bool depthwise = false;
};

// Sizes that fit no block: odd maps and channels, one pixel, windows as large as the map.
inline constexpr ConvShape kConvShapes[] = {
    {8, 8, 16, 16, 3, 1, 1},
    {7, 7, 32, 48, 3, 1, 1},
    {4, 4, 64, 32, 3, 1, 1},
    {1, 1, 16, 16, 3, 1, 1},
    {3, 17, 64, 64, 3, 1, 1},
    {5, 9, 20, 35, 3, 1, 1},
    {14, 3, 1, 1, 3, 1, 1},
    {2, 2, 80, 16, 3, 1, 1},
    {6, 5, 144, 17, 3, 1, 1},
    {9, 7, 33, 40, 3, 2, 1},
    {8, 8, 48, 33, 1, 1, 0},
    {7, 7, 24, 16, 1, 2, 0},
    {11, 6, 3, 19, 3, 2, 1},
    {12, 12, 3, 16, 7, 2, 3},
    {6, 6, 18, 18, 5, 1, 2},
    {3, 4, 40, 20, 3, 1, 0},
    {10, 10, 8, 8, 2, 3, 0},
    {9, 9, 12, 31, 4, 2, 1},
    {8, 8, 16, 16, 3, 2, 1},
    {16, 16, 32, 48, 3, 2, 1},
    {1, 1, 16, 16, 3, 2, 1},
    {8, 8, 128, 64, 3, 1, 1},
    {16, 16, 64, 64, 1, 2, 0},
    {2, 15, 64, 16, 3, 2, 1},
    {6, 33, 16, 128, 3, 2, 1},
    {5, 18, 32, 16, 1, 1, 0},
    // Depthwise.
    {8, 8, 32, 32, 3, 1, 1, true},
    {7, 5, 19, 19, 3, 1, 1, true},
    {9, 6, 50, 50, 3, 2, 1, true},
    {1, 1, 16, 16, 3, 1, 1, true},
    {12, 9, 7, 7, 7, 2, 3, true},
    {6, 6, 33, 33, 5, 1, 2, true},
    {5, 7, 16, 16, 1, 1, 0, true},
    {10, 10, 40, 40, 4, 3, 0, true},
    {8, 3, 1, 1, 2, 1, 1, true},
    {5, 6, 64, 64, 3, 1, 1, true},
    {4, 9, 150, 150, 3, 2, 1, true},
    {6, 4, 96, 96, 3, 1, 0, true},
    {9, 7, 30, 30, 3, 3, 1, true},
};

// Ranges of weights and input codes: those of the ladder's points, and others at the limits of an algorithm.
struct ConvRange {
  int lo, hi, highest;
  bool signs = false;
};
inline constexpr ConvRange kConvRanges[] = {{-127, 127, 255}, {-128, 127, 255}, {-14, 14, 63},   {-18, 18, 19},
                                            {-8, 7, 15},      {-6, 6, 12},      {-4, 3, 7},      {-2, 2, 2},
                                            {-2, 1, 3},       {-1, 1, 1, true}, {-1, 1, 3, true}};

inline PlannedNode NodeOf(const ConvShape& shape) {
  PlannedNode node;
  node.name = "conv";
  node.kind = NodeKind::kConv;
  node.layer = 0;
  node.in = {.height = shape.height, .width = shape.width, .channels = shape.in};
  node.kernel = shape.kernel;
  node.stride = shape.stride;
  node.padding = shape.padding;
  const auto extent = [&](int64_t in) { return (in + 2 * shape.padding - shape.kernel) / shape.stride + 1; };
  node.out = {.height = extent(shape.height), .width = extent(shape.width), .channels = shape.out};
  node.depthwise = shape.depthwise;
  node.depth = int64_t{shape.kernel} * shape.kernel * (shape.depthwise ? 1 : shape.in);
  return node;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_TESTING_CONV_CASES_H_
