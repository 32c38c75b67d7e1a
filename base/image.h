// An image of 8-bit sRGB values, as it comes out of a file.
#ifndef ANYBIT_BASE_IMAGE_H_
#define ANYBIT_BASE_IMAGE_H_

#include <cstdint>
#include <vector>

namespace anybit {

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 1;         // 1: grey; 3: red, green, blue
  std::vector<uint8_t> pixels;  // [height][width][channels]
};

// Grey becomes three equal channels; colour becomes its luma (ITU-R BT.601, .299 R + .587 G + .114 B of the stored
// values, rounded), as in most image libraries. `channels` is 1 or 3.
Image WithChannels(Image image, int64_t channels);

}  // namespace anybit

#endif  // ANYBIT_BASE_IMAGE_H_
