// Small image files for tests, made by libpng and libjpeg.
#ifndef ANYBIT_BASE_TESTING_IMAGE_BYTES_H_
#define ANYBIT_BASE_TESTING_IMAGE_BYTES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/image.h"

namespace anybit {

// Of `format`, one of png.h's PNG_FORMAT_*, with pixels laid out accordingly.
std::string PngBytes(int64_t height, int64_t width, unsigned format, const std::vector<uint8_t>& pixels);
std::string PngBytes(const Image& image);

// A PNG as its header says, without libpng's conversions.
struct StoredPng {
  uint32_t height = 0;
  uint32_t width = 0;
  int colour_type = 0;  // one of png.h's PNG_COLOR_TYPE_*
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<uint8_t> palette;  // [colours][3], or none
  std::vector<uint8_t> rows;     // as they are stored: packed bits, big-endian 16-bit values
};
std::string PngBytes(const StoredPng& png);

// With one more chunk behind the header.
std::string WithPngChunk(const std::string& png, const std::string& type, const std::string& data);

// Grey or colour; of 4 channels CMYK as Adobe's programs write it. Progressive in several scans, or in one.
std::string JpegBytes(const Image& image, int quality, bool progressive = false);

// With an EXIF marker in front.
std::string WithJpegExif(const std::string& jpeg, const std::string& exif);

// EXIF data of one entry, the orientation.
std::string ExifOfOrientation(int orientation, bool little_endian = false);

// A picture with something everywhere.
Image Gradient(int64_t height, int64_t width, int64_t channels);

}  // namespace anybit

#endif  // ANYBIT_BASE_TESTING_IMAGE_BYTES_H_
