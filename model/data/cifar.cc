#include "model/data/cifar.h"

#include <filesystem>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file_bytes.h"
#include "base/utf8.h"

namespace anybit::model {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 31;  // ten times the largest published file
constexpr int64_t kSide = 32, kPlane = kSide * kSide;

struct Format {
  int label_bytes;
  int label_at;
  int classes;
  const char* names;
  std::vector<std::string> training, test;
};

Format FormatOf(Cifar kind) {
  if (kind == Cifar::k100) return {2, 1, 100, "fine_label_names.txt", {"train.bin"}, {"test.bin"}};
  if (kind == Cifar::k100Coarse) return {2, 0, 20, "coarse_label_names.txt", {"train.bin"}, {"test.bin"}};
  Format format{1, 0, 10, "batches.meta.txt", {}, {"test_batch.bin"}};
  for (int i = 1; i <= 5; ++i) format.training.push_back(absl::StrCat("data_batch_", i, ".bin"));
  return format;
}

absl::Status AppendFile(const std::string& path, const Format& format, std::vector<uint16_t>& labels,
                        std::vector<uint8_t>& pixels) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  const size_t record = format.label_bytes + 3 * kPlane;
  if (bytes->empty() || bytes->size() % record != 0) {
    return absl::DataLossError(
        absl::StrCat("'", path, "' has ", bytes->size(), " bytes, no whole records of ", record));
  }
  pixels.reserve(pixels.size() + bytes->size());
  for (size_t at = 0; at < bytes->size(); at += record) {
    const uint8_t label = (*bytes)[at + format.label_at];
    if (label >= format.classes) {
      return absl::DataLossError(
          absl::StrCat("'", path, "' record ", at / record, " has label ", label, " of ", format.classes, " classes"));
    }
    labels.push_back(label);
    const uint8_t* planes = bytes->data() + at + format.label_bytes;
    for (int64_t i = 0; i < kPlane; ++i) {
      pixels.insert(pixels.end(), {planes[i], planes[kPlane + i], planes[2 * kPlane + i]});
    }
  }
  return absl::OkStatus();
}

// `path`, or `path`.gz where only that exists.
std::string PlainOrGzipped(const std::string& path) {
  std::error_code error;
  const std::string gzipped = path + ".gz";
  return !std::filesystem::exists(path, error) && std::filesystem::exists(gzipped, error) ? gzipped : path;
}

absl::StatusOr<std::vector<std::string>> ReadNames(const std::string& path, int classes) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::vector<std::string>();
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, 1 << 20);
  if (!bytes.ok()) return bytes.status();
  const std::string text(bytes->begin(), bytes->end());
  std::vector<std::string> names;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (!IsValidUtf8({line.data(), line.size()})) {
      return absl::DataLossError(
          absl::StrCat("'", path, "' names a class '", absl::CHexEscape(line), "', which is not valid UTF-8"));
    }
    names.emplace_back(line);
  }
  if (names.size() != static_cast<size_t>(classes)) {
    return absl::DataLossError(absl::StrCat("'", path, "' names ", names.size(), " of ", classes, " classes"));
  }
  return names;
}

}  // namespace

absl::StatusOr<MemoryExamples> ReadCifarFolder(const std::string& folder, Split split, Cifar kind) {
  const Format format = FormatOf(kind);
  absl::StatusOr<std::vector<std::string>> names = ReadNames(absl::StrCat(folder, "/", format.names), format.classes);
  if (!names.ok()) return names.status();
  std::vector<uint16_t> labels;
  std::vector<uint8_t> pixels;
  const std::vector<std::string>& files = split == Split::kTrain ? format.training : format.test;
  for (const std::string& file : files) {
    const std::string path = PlainOrGzipped(absl::StrCat(folder, "/", file));
    if (absl::Status status = AppendFile(path, format, labels, pixels); !status.ok()) return status;
  }
  MemoryExamples examples({.height = kSide, .width = kSide, .channels = 3}, std::move(labels), std::move(pixels),
                          *std::move(names));
  examples.set_origin(absl::StrCat(examples.count(), " images in '", folder, "/", files.front(), "'",
                                   files.size() > 1 ? absl::StrCat(" to '", files.back(), "'") : ""));
  return examples;
}

}  // namespace anybit::model
