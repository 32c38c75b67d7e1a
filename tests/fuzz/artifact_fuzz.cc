// ParseArtifact: any bytes are refused, or the artifact is valid and written again it reads as the same.
//
// No mutation keeps a checksum right, so the target mends it first; otherwise nothing behind it would be reached.
#include <zlib.h>

#include <cstring>
#include <string>

#include "absl/strings/str_format.h"
#include "model/format/artifact.h"
#include "model/format/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

constexpr size_t kChecksumDigits = 8;

// Overwrites the artifact's checksum with the one that fits; leaves text alone that has none of eight digits.
void MendChecksum(std::string& text) {
  const absl::StatusOr<anybit::model::TensorFile> file = anybit::model::ParseSafetensors(text);
  if (!file.ok() || !file->metadata.contains("anybit.header") || !file->metadata.contains("anybit.crc32")) return;
  const std::string& header = file->metadata.at("anybit.header");
  const std::string& stored = file->metadata.at("anybit.crc32");
  if (stored.size() != kChecksumDigits) return;
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(header.data()), static_cast<uInt>(header.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(file->data.data()), static_cast<uInt>(file->data.size()));
  const size_t at = text.find(stored, text.find("anybit.crc32"));
  if (at == std::string::npos) return;
  text.replace(at, kChecksumDigits, absl::StrFormat("%08x", crc));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  MendChecksum(text);
  const absl::StatusOr<anybit::model::Artifact> artifact = anybit::model::ParseArtifact(text);
  if (!artifact.ok()) return 0;
  anybit::Require(anybit::model::ValidateArtifact(*artifact).ok(), "an artifact that was read is valid");
  const std::string written = anybit::model::SerializeArtifact(*artifact);
  const absl::StatusOr<anybit::model::Artifact> again = anybit::model::ParseArtifact(written);
  anybit::Require(again.ok(), "an artifact that was written can be read");
  anybit::Require(anybit::model::SerializeArtifact(*again) == written,
                  "reading and writing an artifact changes nothing");
  return 0;
}
