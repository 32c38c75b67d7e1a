#include "client/image_file.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file_bytes.h"
#include "base/image_file.h"

namespace anybit {
namespace {

bool IsIdx(std::span<const uint8_t> bytes) { return bytes.size() >= 2 && bytes[0] == 0 && bytes[1] == 0; }

// The header and body of an IDX file of unsigned bytes: two zeros, the type (8 is u8), the number of dimensions, each
// dimension as a big-endian 32-bit number, then the values in row-major order.
struct Idx {
  std::vector<uint32_t> dims;
  std::span<const uint8_t> body;
};

absl::StatusOr<Idx> ParseIdx(std::span<const uint8_t> bytes, size_t rank) {
  constexpr uint8_t kUnsignedByte = 8;
  if (bytes.size() < 4 || !IsIdx(bytes)) {
    return absl::DataLossError("not an IDX file: its first two bytes are not zero");
  }
  if (bytes[2] != kUnsignedByte) {
    return absl::DataLossError(absl::StrCat("IDX element type ", bytes[2], " is not 8 (unsigned byte)"));
  }
  if (bytes[3] != rank) {
    return absl::DataLossError(absl::StrCat("IDX file has ", bytes[3], " dimensions, expected ", rank));
  }
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    return absl::DataLossError(absl::StrCat("IDX header ends after ", bytes.size(), " of ", header, " bytes"));
  }
  Idx idx;
  idx.body = bytes.subspan(header);
  uint64_t elements = 1;
  for (size_t d = 0; d < rank; ++d) {
    uint32_t dim = 0;
    for (size_t i = 0; i < 4; ++i) dim = dim << 8 | bytes[4 + 4 * d + i];
    // Both factors are below 2^32 here, so the product cannot overflow before it is checked.
    elements *= dim;
    if (dim == 0 || elements > kMaxImageFileBytes) {
      return absl::DataLossError(absl::StrCat("IDX dimension ", d, " is ", dim, ": the file would hold ", elements,
                                              " elements, allowed are 1 to ", kMaxImageFileBytes));
    }
    idx.dims.push_back(dim);
  }
  if (idx.body.size() != elements) {
    return absl::DataLossError(
        absl::StrCat("IDX file promises ", elements, " bytes of data and holds ", idx.body.size()));
  }
  return idx;
}

absl::StatusOr<GrayImages> ParseIdxImages(std::span<const uint8_t> bytes) {
  absl::StatusOr<Idx> idx = ParseIdx(bytes, 3);
  if (!idx.ok()) return idx.status();
  return GrayImages{.count = static_cast<int>(idx->dims[0]),
                    .height = static_cast<int>(idx->dims[1]),
                    .width = static_cast<int>(idx->dims[2]),
                    .pixels = std::vector<uint8_t>(idx->body.begin(), idx->body.end())};
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
  return std::vector<uint8_t>(idx->body.begin(), idx->body.end());
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

}  // namespace anybit
