// Small files as texts: configurations, reports, figures.
#ifndef ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
#define ANYBIT_MODEL_TRAIN_TEXT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit {

// NotFound where it cannot be opened, Unavailable where it cannot be read, a folder for instance.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Writes beside `path`, then renames: a reader sees the old file or the new one. Unavailable, with nothing left behind.
absl::Status WriteTextFile(const std::string& path, const std::string& text);

// Tries what would only fail after hours of work: InvalidArgument where `path` is a folder, Unavailable where no file
// can be made beside it.
absl::Status CheckWritable(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TEXT_FILE_H_
