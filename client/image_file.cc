#include "client/image_file.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file_bytes.h"
#include "base/idx.h"
#include "base/image_file.h"

namespace anybit::client {
namespace {

absl::StatusOr<GrayImages> ParseIdxImages(std::span<const uint8_t> bytes) {
  absl::StatusOr<Idx> idx = ParseIdx(bytes, 3);
  if (!idx.ok()) return idx.status();
  return GrayImages{.count = static_cast<int>(idx->shape[0]),
                    .height = static_cast<int>(idx->shape[1]),
                    .width = static_cast<int>(idx->shape[2]),
                    .pixels = std::vector<uint8_t>(idx->values.begin(), idx->values.end())};
}

// What `parse` makes of the file's content; its errors get the path in front.
template <typename Parsed>
absl::StatusOr<Parsed> ReadAndParse(const std::string& path,
                                    absl::StatusOr<Parsed> (*parse)(std::span<const uint8_t> bytes)) {
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxImageFileBytes);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Parsed> parsed = parse(*bytes);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), absl::StrCat("'", path, "': ", parsed.status().message()));
  }
  return parsed;
}

}  // namespace

absl::StatusOr<GrayImages> ParseImages(std::span<const uint8_t> bytes) {
  if (IsIdx(bytes)) return ParseIdxImages(bytes);
  absl::StatusOr<Image> image = DecodeImage(bytes);
  if (!image.ok()) return image.status();
  Image gray = WithChannels(*std::move(image), 1);
  return GrayImages{.count = 1,
                    .height = static_cast<int>(gray.height),
                    .width = static_cast<int>(gray.width),
                    .pixels = std::move(gray.pixels)};
}

absl::StatusOr<std::vector<uint8_t>> ParseLabels(std::span<const uint8_t> bytes) {
  const absl::StatusOr<Idx> idx = ParseIdx(bytes, 1);
  if (!idx.ok()) return idx.status();
  return std::vector<uint8_t>(idx->values.begin(), idx->values.end());
}

absl::StatusOr<GrayImages> ReadImages(const std::string& path) { return ReadAndParse(path, &ParseImages); }

absl::StatusOr<std::vector<uint8_t>> ReadLabels(const std::string& path) { return ReadAndParse(path, &ParseLabels); }

absl::StatusOr<GrayImages> FitImages(const GrayImages& images, int height, int width) {
  if (images.height > height || images.width > width) {
    return absl::InvalidArgumentError(absl::StrCat("image of ", images.width, "x", images.height,
                                                   " pixels is larger than the model's input of ", width, "x", height));
  }
  GrayImages fitted{.count = images.count, .height = height, .width = width};
  if (images.count > 0 && fitted.image_bytes() > kMaxFittedBytes / static_cast<size_t>(images.count)) {
    return absl::InvalidArgumentError(absl::StrCat(images.count, " images exceed ", kMaxFittedBytes,
                                                   " bytes when each gets the size of the model's input, ", width, "x",
                                                   height));
  }
  fitted.pixels.resize(images.count * fitted.image_bytes());
  const size_t top = (height - images.height) / 2;
  const size_t left = (width - images.width) / 2;
  for (int i = 0; i < images.count; ++i) {
    for (int y = 0; y < images.height; ++y) {
      const std::span<const uint8_t> row = images.image(i).subspan(static_cast<size_t>(y) * images.width, images.width);
      std::copy(row.begin(), row.end(), fitted.pixels.begin() + i * fitted.image_bytes() + (top + y) * width + left);
    }
  }
  return fitted;
}

}  // namespace anybit::client
