// PNG, JPEG and PGM files as grey or colour images of 8-bit sRGB values.
//
// The first bytes tell the format, not the name. A value is the one that the file stores, whatever it says of gamma or
// colour profiles; 16 bits are scaled to 8 and rounded; palettes become colour; alpha is left out; CMYK becomes RGB;
// the image is turned as its EXIF orientation says. A file that stops early or breaks a checksum is an error: no image
// is made up half of grey.
#ifndef ANYBIT_BASE_IMAGE_FILE_H_
#define ANYBIT_BASE_IMAGE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/image.h"

namespace anybit {

inline constexpr int64_t kMaxImagePixels = int64_t{1} << 26;

// Of a file, or of its content where it is gzipped.
inline constexpr size_t kMaxImageFileBytes = size_t{1} << 28;

// DataLoss with the decoder's reason, or naming size and limit for more than kMaxImagePixels.
absl::StatusOr<Image> DecodeImage(std::span<const uint8_t> bytes);

// The same of a file, the reason after its name; NotFound where there is none.
absl::StatusOr<Image> ReadImageFile(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_BASE_IMAGE_FILE_H_
