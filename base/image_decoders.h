// The decoders behind DecodeImage: one a format. Bytes that begin as another format does are DataLoss too.
#ifndef ANYBIT_BASE_IMAGE_DECODERS_H_
#define ANYBIT_BASE_IMAGE_DECODERS_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/image.h"

namespace anybit {

bool IsPng(std::span<const uint8_t> bytes);
bool IsJpeg(std::span<const uint8_t> bytes);
// Binary (P5) or text (P2).
bool IsPgm(std::span<const uint8_t> bytes);

absl::StatusOr<Image> DecodePng(std::span<const uint8_t> bytes);
absl::StatusOr<Image> DecodeJpeg(std::span<const uint8_t> bytes);
absl::StatusOr<Image> DecodePgm(std::span<const uint8_t> bytes);

// DataLoss, naming size and limit, unless both sides have a pixel and all have kMaxImagePixels at most. To be asked
// before memory is taken.
absl::Status CheckImageSize(int64_t height, int64_t width);

}  // namespace anybit

#endif  // ANYBIT_BASE_IMAGE_DECODERS_H_
