#include "model/train/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

absl::Status CannotWrite(const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot write '", path, "': ", std::strerror(errno)));
}

std::string Unfinished(const std::string& path) { return path + ".partial"; }

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open '", path, "': ", std::strerror(errno)));
  std::ostringstream text;
  if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad()) return absl::UnavailableError(absl::StrCat("cannot read '", path, "'"));
  return std::move(text).str();
}

absl::Status WriteTextFile(const std::string& path, const std::string& text) {
  const std::string unfinished = Unfinished(path);
  std::ofstream file(unfinished, std::ios::binary);
  file << text;
  file.close();
  if (file && std::rename(unfinished.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const absl::Status status = CannotWrite(path);
  std::remove(unfinished.c_str());
  return status;
}

absl::Status CheckWritable(const std::string& path) {
  std::error_code error;
  if (absl::EndsWith(path, "/") || std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is a folder, not a file to write"));
  }
  const std::string trial = Unfinished(path);
  if (!std::ofstream(trial)) return CannotWrite(trial);
  std::remove(trial.c_str());
  return absl::OkStatus();
}

}  // namespace anybit
