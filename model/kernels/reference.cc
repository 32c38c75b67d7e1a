#include "model/kernels/reference.h"

namespace anybit::model {

std::vector<int32_t> ReferenceConvSums(const PlannedNode& node, std::span<const int32_t> codes,
                                       std::span<const int32_t> weights) {
  std::vector<int32_t> sums(node.out.elements(), 0);
  for (int64_t y = 0; y < node.out.height; ++y) {
    for (int64_t x = 0; x < node.out.width; ++x) {
      for (int64_t o = 0; o < node.out.channels; ++o) {
        int32_t sum = 0;
        for (int64_t ky = 0; ky < node.kernel; ++ky) {
          for (int64_t kx = 0; kx < node.kernel; ++kx) {
            const int64_t iy = y * node.stride + ky - node.padding;
            const int64_t ix = x * node.stride + kx - node.padding;
            if (iy < 0 || iy >= node.in.height || ix < 0 || ix >= node.in.width) continue;
            const int64_t pixel = (iy * node.in.width + ix) * node.in.channels, tap = ky * node.kernel + kx;
            if (node.depthwise) {
              sum += codes[pixel + o] * weights[o * node.depth + tap];
              continue;
            }
            for (int64_t c = 0; c < node.in.channels; ++c) {
              sum += codes[pixel + c] * weights[o * node.depth + tap * node.in.channels + c];
            }
          }
        }
        sums[(y * node.out.width + x) * node.out.channels + o] = sum;
      }
    }
  }
  return sums;
}

}  // namespace anybit::model
