#include "model/train/trainer/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/format/safetensors.h"

namespace anybit {
namespace {

constexpr char kFormat[] = "anybit.checkpoint", kIdentity[] = "identity", kStep[] = "step";

absl::Status Failed(const char* verb, const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot ", verb, " '", path, "': ", std::strerror(errno)));
}

absl::Status WriteAndFlush(absl::string_view text, const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return Failed("create", path);
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    text.remove_prefix(written);
  }
  const bool whole = text.empty() && fsync(file) == 0;
  const absl::Status status = whole ? absl::OkStatus() : Failed("write", path);
  close(file);
  return status;
}

// A rename reaches the disk with the folder. A file system that refuses to flush a folder keeps renames in order
// itself.
void FlushFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

}  // namespace

absl::Status WriteCheckpoint(const Checkpoint& checkpoint, const std::string& path) {
  SafetensorsWriter writer;
  writer.AddMetadata(kFormat, "1");
  writer.AddMetadata(kIdentity, checkpoint.identity);
  writer.AddMetadata(kStep, absl::StrCat(checkpoint.step));
  for (const auto& [name, tensor] : checkpoint.tensors) writer.AddFloat(name, tensor.shape, tensor.values);
  const std::string unfinished = path + ".partial";
  if (absl::Status status = WriteAndFlush(writer.Finish(), unfinished); !status.ok()) return status;
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) return Failed("rename to", path);
  FlushFolderOf(path);
  return absl::OkStatus();
}

absl::StatusOr<bool> KeepEarlierCheckpoint(const std::string& path) {
  const std::string kept = path + ".previous";
  if (std::rename(path.c_str(), kept.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return Failed("rename to", kept);
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int error = errno;
    const std::string why = absl::StrCat("cannot open checkpoint '", path, "': ", std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(why) : absl::UnavailableError(why);
  }
  std::ostringstream buffer;
  buffer << file.rdbuf();
  if (file.bad()) return absl::UnavailableError(absl::StrCat("cannot read checkpoint '", path, "'"));
  const std::string text = std::move(buffer).str();
  const absl::StatusOr<TensorFile> parsed = ParseSafetensors(text);
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

}  // namespace anybit
