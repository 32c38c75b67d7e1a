#include "model/train/search/conv_sums.h"

#include <algorithm>

namespace anybit::model::train {
namespace {

// Pixels whose windows are in the first-level cache together while a filter passes over them.
constexpr int64_t kPixels = 8;

// The codes under one window, as words: (kernel row, kernel column, channel), zeros outside the image.
void GatherWindow(const PlannedNode& node, std::span<const uint8_t> codes, int64_t y, int64_t x, int16_t* words) {
  const int64_t channels = node.in.channels;
  for (int64_t dy = 0; dy < node.kernel; ++dy) {
    const int64_t iy = y * node.stride + dy - node.padding;
    for (int64_t dx = 0; dx < node.kernel; ++dx, words += channels) {
      const int64_t ix = x * node.stride + dx - node.padding;
      if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) {
        std::fill_n(words, channels, int16_t{0});
      } else {
        std::copy_n(codes.data() + (iy * node.in.width + ix) * channels, channels, words);
      }
    }
  }
}

void DepthwiseSums(const PlannedNode& node, std::span<const int16_t> words, std::span<const int8_t> weights,
                   int32_t* sums) {
  for (int64_t c = 0; c < node.out.channels; ++c) {
    int32_t sum = 0;
    for (int64_t d = 0; d < node.depth; ++d) sum += words[d * node.in.channels + c] * weights[c * node.depth + d];
    sums[c] = sum;
  }
}

}  // namespace

void ConvSums(const PlannedNode& node, const KernelTable& kernels, std::span<const uint8_t> codes,
              std::span<const int8_t> weights, std::span<int32_t> sums) {
  const int64_t window = int64_t{node.kernel} * node.kernel * node.in.channels;
  const int64_t pixels = node.out.height * node.out.width, channels = node.out.channels;
  std::vector<int16_t> words(kPixels * window);
  for (int64_t first = 0; first < pixels; first += kPixels) {
    const int64_t count = std::min(kPixels, pixels - first);
    for (int64_t i = 0; i < count; ++i) {
      GatherWindow(node, codes, (first + i) / node.out.width, (first + i) % node.out.width, &words[i * window]);
    }
    if (node.depthwise) {
      for (int64_t i = 0; i < count; ++i) {
        DepthwiseSums(node, std::span(words).subspan(i * window, window), weights, &sums[(first + i) * channels]);
      }
      continue;
    }
    for (int64_t o = 0; o < channels; ++o) {
      const int8_t* filter = weights.data() + o * node.depth;
      for (int64_t i = 0; i < count; ++i) {
        sums[(first + i) * channels + o] = static_cast<int32_t>(kernels.dot(&words[i * window], filter, node.depth));
      }
    }
  }
}

void MaxPoolCodes(const PlannedNode& node, std::span<const uint8_t> codes, std::span<uint8_t> out) {
  const int64_t channels = node.out.channels;
  std::fill(out.begin(), out.end(), uint8_t{0});
  for (int64_t y = 0; y < node.out.height; ++y) {
    for (int64_t x = 0; x < node.out.width; ++x) {
      uint8_t* to = &out[(y * node.out.width + x) * channels];
      for (int64_t dy = 0; dy < node.pool; ++dy) {
        for (int64_t dx = 0; dx < node.pool; ++dx) {
          const int64_t iy = y * node.stride + dy - node.padding, ix = x * node.stride + dx - node.padding;
          if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
          const uint8_t* from = &codes[(iy * node.in.width + ix) * channels];
          for (int64_t c = 0; c < channels; ++c) to[c] = std::max(to[c], from[c]);
        }
      }
    }
  }
}

}  // namespace anybit::model::train
