// Whole files: read at once, replaced at once.
#ifndef ANYBIT_BASE_FILE_H_
#define ANYBIT_BASE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit {

// All bytes of the file. NotFound where it does not exist, PermissionDenied where it may not be read, Unavailable where
// it cannot be read for another reason (a folder, for instance), InvalidArgument where it has more than `limit` bytes.
// Each names the file, and the reason or the limit.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit = UINT64_MAX);

// Whether new contents are on the disk before they take the place of the old ones.
enum class Flush { kNo, kYes };

// Writes `path`.partial, then renames it: a reader sees the old file or the new one. After an error neither the old
// file is harmed nor anything left behind. Several writers take turns. A path to something else than a file (a pipe, a
// terminal) is written in place. Unavailable, naming the file and the reason.
absl::Status ReplaceFile(const std::string& path, absl::string_view contents, Flush flush = Flush::kNo);

// Tries what would otherwise fail only after hours of work, and leaves nothing behind: InvalidArgument where `path` is
// a folder, Unavailable where no file can be made beside it.
absl::Status CheckReplaceable(const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_BASE_FILE_H_
