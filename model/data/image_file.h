// PNG and JPEG files as grey or colour images, decoded by libpng and libjpeg.
//
// The first bytes tell the format, not the name. Palettes, 16 bits and gamma end as 8-bit sRGB; transparency is laid
// over black; CMYK becomes RGB; EXIF orientation is not applied. A file that stops early or breaks a checksum is an
// error: no image is made up half of grey.
#ifndef ANYBIT_MODEL_DATA_IMAGE_FILE_H_
#define ANYBIT_MODEL_DATA_IMAGE_FILE_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "model/data/image.h"

namespace anybit {

inline constexpr int64_t kMaxImagePixels = int64_t{1} << 26;

// DataLoss with the decoder's reason, or naming size and limit for more than kMaxImagePixels.
absl::StatusOr<Image> DecodeImage(std::span<const uint8_t> bytes);

// The same of a file, the reason after its name; NotFound where there is none.
absl::StatusOr<Image> ReadImageFile(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_IMAGE_FILE_H_
