#include "base/image_file.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file_bytes.h"
#include "base/image_decoders.h"

namespace anybit {

absl::StatusOr<Image> DecodeImage(std::span<const uint8_t> bytes) {
  if (IsPng(bytes)) return DecodePng(bytes);
  if (IsJpeg(bytes)) return DecodeJpeg(bytes);
  if (IsPgm(bytes)) return DecodePgm(bytes);
  return absl::DataLossError("not a PNG, JPEG or PGM image");
}

absl::StatusOr<Image> ReadImageFile(const std::string& path) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxImageFileBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Image> image = DecodeImage(*bytes);
  if (!image.ok()) return absl::Status(image.status().code(), absl::StrCat("'", path, "': ", image.status().message()));
  return image;
}

}  // namespace anybit
