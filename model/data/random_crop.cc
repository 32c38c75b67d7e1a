#include "model/data/random_crop.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/random.h"
#include "model/data/sample_bilinear.h"

namespace anybit::model {
namespace {

constexpr int kTries = 10;  // torchvision's

PixelBox BoxAt(int64_t top, int64_t left, int64_t height, int64_t width) {
  return {.top = top, .left = left, .bottom = top + height, .right = left + width};
}

// The largest part in the middle whose aspect ratio is within the limits.
PixelBox MiddleCrop(const ExampleShape& shape) {
  const int64_t limit = std::lround(static_cast<double>(std::min(shape.height, shape.width)) * kCropAspect);
  const int64_t height = std::min(shape.height, limit), width = std::min(shape.width, limit);
  return BoxAt((shape.height - height) / 2, (shape.width - width) / 2, height, width);
}

}  // namespace

PixelBox DrawCrop(double least, const ExampleShape& shape, std::mt19937_64& random) {
  for (int i = 0; i < kTries; ++i) {
    const double area = UniformIn(random, least, 1) * static_cast<double>(shape.height * shape.width);
    const double aspect = std::exp(UniformIn(random, -std::log(kCropAspect), std::log(kCropAspect)));
    const int64_t height = std::lround(std::sqrt(area / aspect)), width = std::lround(std::sqrt(area * aspect));
    if (height < 1 || height > shape.height || width < 1 || width > shape.width) continue;
    const int64_t top = UniformInt(random, 0, shape.height - height);
    return BoxAt(top, UniformInt(random, 0, shape.width - width), height, width);
  }
  return MiddleCrop(shape);
}

void EnlargeCrop(const PixelBox& box, const ExampleShape& shape, std::span<uint8_t> row) {
  const double down = static_cast<double>(box.height()) / static_cast<double>(shape.height);
  const double across = static_cast<double>(box.width()) / static_cast<double>(shape.width);
  // The areas of pixels are enlarged, so their middles are mapped to each other.
  const auto source = [&](int64_t y, int64_t x) {
    return std::pair((static_cast<double>(y) + 0.5) * down - 0.5, (static_cast<double>(x) + 0.5) * across - 0.5);
  };
  const int64_t size = shape.elements() / shape.frames;
  std::vector<uint8_t> frame(size);
  for (int64_t f = 0; f < shape.frames; ++f) {
    uint8_t* const place = row.data() + f * size;
    const auto at = [&](int64_t y, int64_t x, int64_t channel) -> double {
      const int64_t sy = box.top + std::clamp<int64_t>(y, 0, box.height() - 1);
      const int64_t sx = box.left + std::clamp<int64_t>(x, 0, box.width() - 1);
      return frame[(sy * shape.width + sx) * shape.channels + channel];
    };
    std::copy_n(place, size, frame.data());
    SampleBilinear(shape, at, source, place);
  }
}

}  // namespace anybit::model
