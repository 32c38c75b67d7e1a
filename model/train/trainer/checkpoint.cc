#include "model/train/trainer/checkpoint.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/format/safetensors.h"

namespace anybit::model::train {
namespace {

constexpr char kFormat[] = "anybit.checkpoint", kIdentity[] = "identity", kStep[] = "step";

absl::Status Failed(const char* verb, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot ", verb, " '", path, "': ", std::strerror(errno)));
}

}  // namespace

absl::Status WriteCheckpoint(const Checkpoint& checkpoint, const std::string& path) {
  SafetensorsWriter writer;
  writer.AddMetadata(kFormat, "1");
  writer.AddMetadata(kIdentity, checkpoint.identity);
  writer.AddMetadata(kStep, absl::StrCat(checkpoint.step));
  for (const auto& [name, tensor] : checkpoint.tensors) writer.AddFloat(name, tensor.shape, tensor.values);
  return ReplaceFile(path, writer.Finish(), Flush::kYes);
}

absl::StatusOr<bool> KeepEarlierCheckpoint(const std::string& path) {
  const std::string kept = path + ".previous";
  if (std::rename(path.c_str(), kept.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return Failed("rename to", kept);
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return absl::Status(text.status().code(), absl::StrCat("checkpoint: ", text.status().message()));
  const absl::StatusOr<TensorFile> parsed = ParseSafetensors(*text);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), absl::StrCat("checkpoint '", path, "': ", parsed.status().message()));
  }
  const auto metadata = [&](const char* key) {
    const auto found = parsed->metadata.find(key);
    return found == parsed->metadata.end() ? std::string() : found->second;
  };
  Checkpoint checkpoint{.identity = metadata(kIdentity)};
  if (metadata(kFormat) != "1" || !absl::SimpleAtoi(metadata(kStep), &checkpoint.step)) {
    return absl::DataLossError(absl::StrCat("'", path, "' is no checkpoint of anybit-train"));
  }
  for (const auto& [name, view] : parsed->tensors) {
    if (view.type != ElementType::kFloat32) {
      return absl::DataLossError(absl::StrCat("checkpoint '", path, "': tensor '", name, "' is not F32"));
    }
    Checkpoint::Values& tensor = checkpoint.tensors[name];
    tensor.shape = view.shape;
    tensor.values.resize(view.bytes.size() / sizeof(float));
    std::memcpy(tensor.values.data(), view.bytes.data(), view.bytes.size());
  }
  return checkpoint;
}

}  // namespace anybit::model::train
