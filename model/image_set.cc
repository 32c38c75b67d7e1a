#include "model/image_set.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

constexpr size_t kMaxFile = size_t{1} << 31;

// The file's bytes, inflated if they are gzipped (zlib reads plain files as they are).
absl::StatusOr<std::vector<uint8_t>> ReadBytes(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("cannot open '", path, "'"));
  std::vector<uint8_t> bytes;
  constexpr size_t kChunk = 1 << 20;
  int got = 0;
  do {
    const size_t before = bytes.size();
    bytes.resize(before + kChunk);
    got = gzread(file, bytes.data() + before, kChunk);
    bytes.resize(before + static_cast<size_t>(std::max(got, 0)));
  } while (got > 0 && bytes.size() < kMaxFile);
  const bool complete = gzclose_r(file) == Z_OK;
  if (got != 0 || !complete) return absl::DataLossError(absl::StrCat("'", path, "' is damaged or too large"));
  return bytes;
}

uint32_t BigEndian(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

struct Idx {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

absl::StatusOr<Idx> ReadIdxFile(const std::string& path, size_t dimensions) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadBytes(path);
  if (!bytes.ok()) return bytes.status();
  const size_t header = 4 + 4 * dimensions;
  const uint32_t magic = 0x0800 + static_cast<uint32_t>(dimensions);
  if (bytes->size() < header || BigEndian(*bytes, 0) != magic) {
    return absl::DataLossError(absl::StrCat("'", path, "' is not an IDX file of bytes in ", dimensions, " dimensions"));
  }
  Idx idx;
  uint64_t size = 1;
  for (size_t d = 0; d < dimensions; ++d) {
    const uint32_t extent = BigEndian(*bytes, 4 + 4 * d);
    idx.shape.push_back(extent);
    size *= extent;
    if (size > kMaxFile) break;
  }
  if (size != bytes->size() - header) {
    return absl::DataLossError(absl::StrCat("'", path, "' holds ", bytes->size() - header, " values, its header says ", size));
  }
  idx.values.assign(bytes->begin() + static_cast<int64_t>(header), bytes->end());
  return idx;
}

}  // namespace

absl::StatusOr<ImageSet> ReadIdx(const std::string& images_path, const std::string& labels_path, int64_t side) {
  absl::StatusOr<Idx> images = ReadIdxFile(images_path, 3);
  if (!images.ok()) return images.status();
  absl::StatusOr<Idx> labels = ReadIdxFile(labels_path, 1);
  if (!labels.ok()) return labels.status();
  const int64_t count = images->shape[0], height = images->shape[1], width = images->shape[2];
  if (labels->shape[0] != count) {
    return absl::DataLossError(absl::StrCat(labels->shape[0], " labels for ", count, " images"));
  }
  if (height > side || width > side) {
    return absl::DataLossError(absl::StrCat("images of ", height, "x", width, " do not fit ", side, "x", side));
  }
  ImageSet set{.count = count, .side = side, .labels = std::move(labels->values)};
  set.pixels.resize(count * side * side);
  const int64_t top = (side - height) / 2, left = (side - width) / 2;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t y = 0; y < height; ++y) {
      const uint8_t* row = images->values.data() + (i * height + y) * width;
      std::copy(row, row + width, set.pixels.data() + (i * side + top + y) * side + left);
    }
  }
  return set;
}

absl::StatusOr<ImageSet> ReadIdxFolder(const std::string& folder, Split split, int64_t side) {
  const std::string prefix = absl::StrCat(folder, "/", split == Split::kTrain ? "train" : "t10k");
  const auto with_suffix = [](const std::string& path) {
    return std::filesystem::exists(path) ? path : path + ".gz";
  };
  return ReadIdx(with_suffix(prefix + "-images-idx3-ubyte"), with_suffix(prefix + "-labels-idx1-ubyte"), side);
}

}  // namespace anybit
