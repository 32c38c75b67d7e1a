#include "model/data/idx.h"

#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_bytes.h"
#include "base/idx.h"
#include "model/data/idx_files.h"

namespace anybit::model {
namespace {

constexpr size_t kMaxFile = size_t{1} << 31;

struct IdxFile {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

absl::StatusOr<IdxFile> ReadIdxFile(const std::string& path, size_t dimensions) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxFile);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Idx> idx = ParseIdx(*bytes, dimensions);
  if (!idx.ok()) return absl::Status(idx.status().code(), absl::StrCat("'", path, "': ", idx.status().message()));
  bytes->erase(bytes->begin(), bytes->end() - std::ssize(idx->values));
  return IdxFile{.shape = std::move(idx->shape), .values = *std::move(bytes)};
}

}  // namespace

absl::StatusOr<MemoryExamples> ReadIdx(const std::string& images_path, const std::string& labels_path) {
  absl::StatusOr<IdxFile> images = ReadIdxFile(images_path, 3);
  if (!images.ok()) return images.status();
  absl::StatusOr<IdxFile> labels = ReadIdxFile(labels_path, 1);
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

}  // namespace anybit::model
