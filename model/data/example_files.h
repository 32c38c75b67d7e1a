// Small image files for tests, made by libpng, libjpeg and zlib.
#ifndef ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_
#define ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_

#include <string>

#include "model/data/image.h"

namespace anybit {

// An empty folder of this name under the test's temporary one.
std::string FreshFolder(const std::string& name);

// Writes a file, making the folders above it; returns its path.
std::string WriteFile(const std::string& path, const std::string& bytes);

std::string Gzipped(const std::string& bytes);

// Of `format`, one of png.h's PNG_FORMAT_*, with pixels laid out accordingly.
std::string PngBytes(int64_t height, int64_t width, unsigned format, const std::vector<uint8_t>& pixels);
std::string PngBytes(const Image& image);

// Grey or colour; of 4 channels CMYK as Adobe's programs write it. Progressive in several scans, or in one.
std::string JpegBytes(const Image& image, int quality, bool progressive = false);

// A picture with something everywhere.
Image Gradient(int64_t height, int64_t width, int64_t channels);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_
