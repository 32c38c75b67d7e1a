// Small text files: configurations, reports, figures.
#ifndef ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
#define ANYBIT_MODEL_TRAIN_TEXT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit {

// NotFound where it cannot be opened, Unavailable where it cannot be read (a folder, for example).
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Writes a file beside `path`, then renames it, so that readers see the old file or the new one. Unavailable where it
// cannot be written; no file is then left behind.
absl::Status WriteTextFile(const std::string& path, const std::string& text);

// Checks early whether a result can be written later: InvalidArgument where `path` is a folder, Unavailable where no
// file can be created beside it.
absl::Status CheckWritable(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
