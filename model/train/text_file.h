// Small files as texts: configurations, reports, figures.
#ifndef ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
#define ANYBIT_MODEL_TRAIN_TEXT_FILE_H_

#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace anybit {

inline absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open '", path, "'"));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline absl::Status WriteTextFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write '", path, "'"));
}

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
