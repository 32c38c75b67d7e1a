#include "model/data/mix_rows.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace anybit::model {
namespace {

// `a` becomes share / 256 of itself plus the remaining share of `b`, and `b` likewise.
void Blend(std::span<uint8_t> a, std::span<uint8_t> b, int share) {
  for (size_t i = 0; i < a.size(); ++i) {
    const int x = a[i], y = b[i];
    a[i] = static_cast<uint8_t>((share * x + (256 - share) * y + 128) / 256);
    b[i] = static_cast<uint8_t>((share * y + (256 - share) * x + 128) / 256);
  }
}

void Exchange(const PixelBox& box, const ExampleShape& shape, std::span<uint8_t> a, std::span<uint8_t> b) {
  const int64_t size = shape.elements() / shape.frames;
  for (int64_t f = 0; f < shape.frames; ++f) {
    uint8_t* const frame = a.data() + f * size;
    ForEachLine(box, shape, frame, [&](uint8_t* line, int64_t n) {
      std::swap_ranges(line, line + n, b.data() + f * size + (line - frame));
    });
  }
}

}  // namespace

bool MixesRows(const Augmentation& augmentation) { return augmentation.mixup != 0 || augmentation.cutmix != 0; }

PixelBox DrawExchanged(double share, const ExampleShape& shape, std::mt19937_64& random) {
  const double extent = std::sqrt(1 - share);
  // The interval of `length` around a place in 0..limit - 1, clipped.
  const auto interval = [&](int64_t limit) {
    const int64_t length = std::lround(extent * static_cast<double>(limit));
    const int64_t first = UniformInt(random, 0, limit - 1) - length / 2;
    return std::pair(std::max<int64_t>(first, 0), std::min(first + length, limit));
  };
  const auto [top, bottom] = interval(shape.height);
  const auto [left, right] = interval(shape.width);
  return {.top = top, .left = left, .bottom = bottom, .right = right};
}

double MixPairs(const Augmentation& augmentation, const ExampleShape& shape, uint64_t seed, std::span<uint8_t> images) {
  std::mt19937_64 random(seed);
  const bool cuts = augmentation.mixup == 0 || (augmentation.cutmix != 0 && random() % 2 == 0);
  const double drawn = SymmetricBeta(random, cuts ? augmentation.cutmix : augmentation.mixup);
  const int64_t size = shape.elements(), rows = static_cast<int64_t>(images.size()) / size;
  const auto row = [&](int64_t i) { return images.subspan(i * size, size); };
  if (cuts) {
    const PixelBox box = DrawExchanged(drawn, shape, random);
    for (int64_t i = 0; i < rows; i += 2) Exchange(box, shape, row(i), row(i + 1));
    return 1 - static_cast<double>(box.pixels()) / static_cast<double>(shape.height * shape.width);
  }
  const int share = static_cast<int>(std::lround(256 * drawn));
  for (int64_t i = 0; i < rows; i += 2) Blend(row(i), row(i + 1), share);
  return share / 256.0;
}

}  // namespace anybit::model
