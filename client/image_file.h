// Gray images and labels from files: IDX, and each format that base/image_file.h decodes.
//
// The kind is read from the content, never from the name; a gzipped file is taken as its content. No file is trusted:
// each size is checked before memory is taken for it, and an error names the value and the limit.
#ifndef ANYBIT_CLIENT_IMAGE_FILE_H_
#define ANYBIT_CLIENT_IMAGE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anybit::client {

// Of FitImages, whose images can be far larger than their file: its smallest ones are of a byte.
inline constexpr size_t kMaxFittedBytes = size_t{1} << 30;

// `count` gray images of one size.
struct GrayImages {
  int count = 0;
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  // [count][height][width]

  size_t image_bytes() const { return static_cast<size_t>(height) * width; }
  // 0 <= index < count.
  std::span<const uint8_t> image(int index) const {
    return std::span<const uint8_t>(pixels).subspan(index * image_bytes(), image_bytes());
  }
};

// NotFound where the file cannot be opened, DataLoss where its content is not acceptable.
absl::StatusOr<GrayImages> ReadImages(const std::string& path);
absl::StatusOr<std::vector<uint8_t>> ReadLabels(const std::string& path);

// The same for bytes at hand, which are not gzipped. Labels are IDX of one dimension.
absl::StatusOr<GrayImages> ParseImages(std::span<const uint8_t> bytes);
absl::StatusOr<std::vector<uint8_t>> ParseLabels(std::span<const uint8_t> bytes);

// The images with zeros around them, centred in height x width; of an odd margin the smaller half is above and left.
// An image larger than that is InvalidArgument: shrinking it would be a choice that the caller should know of. So are
// images that would fill more than kMaxFittedBytes.
absl::StatusOr<GrayImages> FitImages(const GrayImages& images, int height, int width);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_IMAGE_FILE_H_
