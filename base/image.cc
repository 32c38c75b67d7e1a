#include "base/image.h"

#include <algorithm>
#include <utility>

namespace anybit {
namespace {

// BT.601's weights in 1/65536. Their sum is 65536, so that equal channels keep their value.
constexpr uint32_t kRed = 19595, kGreen = 38470, kBlue = 7471;
static_assert(kRed + kGreen + kBlue == 1 << 16);

uint8_t Luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((kRed * rgb[0] + kGreen * rgb[1] + kBlue * rgb[2] + (1 << 15)) >> 16);
}

}  // namespace

Image WithChannels(Image image, int64_t channels) {
  if (image.channels == channels) return image;
  const int64_t count = image.height * image.width;
  std::vector<uint8_t> pixels(count * channels);
  for (int64_t i = 0; i < count; ++i) {
    if (channels == 3) {
      std::fill_n(pixels.data() + 3 * i, 3, image.pixels[i]);
    } else {
      pixels[i] = Luma(image.pixels.data() + 3 * i);
    }
  }
  image.channels = channels;
  image.pixels = std::move(pixels);
  return image;
}

}  // namespace anybit
