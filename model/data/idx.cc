#include "model/data/idx.h"

#include <span>

#include "absl/strings/str_cat.h"
#include "base/file_bytes.h"
#include "model/data/idx_files.h"

namespace anybit {
namespace {

constexpr size_t kMaxFile = size_t{1} << 31;

uint32_t BigEndian(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

struct Idx {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

absl::StatusOr<Idx> ReadIdxFile(const std::string& path, size_t dimensions) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxFile);
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
    return absl::DataLossError(
        absl::StrCat("'", path, "' holds ", bytes->size() - header, " values, its header says ", size));
  }
  if (size == 0) return absl::DataLossError(absl::StrCat("'", path, "' is empty"));
  bytes->erase(bytes->begin(), bytes->begin() + static_cast<int64_t>(header));
  idx.values = *std::move(bytes);
  return idx;
}

}  // namespace

absl::StatusOr<MemoryExamples> ReadIdx(const std::string& images_path, const std::string& labels_path) {
  absl::StatusOr<Idx> images = ReadIdxFile(images_path, 3);
  if (!images.ok()) return images.status();
  absl::StatusOr<Idx> labels = ReadIdxFile(labels_path, 1);
  if (!labels.ok()) return labels.status();
  if (labels->shape[0] != images->shape[0]) {
    return absl::DataLossError(absl::StrCat("'", labels_path, "' has ", labels->shape[0], " labels for ",
                                            images->shape[0], " images of '", images_path, "'"));
  }
  return MemoryExamples({.height = images->shape[1], .width = images->shape[2]},
                        {labels->values.begin(), labels->values.end()}, std::move(images->values));
}

absl::StatusOr<MemoryExamples> ReadIdxFolder(const std::string& data, Split split) {
  const absl::StatusOr<IdxFiles> files = FindIdxFiles(data, split);
  if (!files.ok()) return files.status();
  absl::StatusOr<MemoryExamples> examples = ReadIdx(files->images, files->labels);
  if (examples.ok()) examples->set_origin(absl::StrCat(examples->count(), " images in '", files->images, "'"));
  return examples;
}

}  // namespace anybit
