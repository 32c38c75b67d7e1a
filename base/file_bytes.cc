#include "base/file_bytes.h"

#include <zlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace anybit {

absl::StatusOr<std::vector<uint8_t>> ReadFileBytes(const std::string& path, size_t limit) {
  gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("cannot open '", path, "'"));
  std::vector<uint8_t> bytes;
  int got = 0;
  do {
    // Doubles, from what holds most images of a data set to what gzread takes at once.
    const size_t chunk = std::clamp<size_t>(bytes.size(), size_t{1} << 16, size_t{1} << 26);
    const size_t before = bytes.size();
    bytes.resize(before + chunk);
    got = gzread(file, bytes.data() + before, static_cast<unsigned>(chunk));
    bytes.resize(before + static_cast<size_t>(std::max(got, 0)));
  } while (got > 0 && bytes.size() <= limit);
  int code = Z_OK;
  const std::string reason = gzerror(file, &code);
  const bool complete = gzclose_r(file) == Z_OK;
  if (bytes.size() > limit) {
    return absl::DataLossError(absl::StrCat("'", path, "' has more than ", limit, " bytes"));
  }
  if (got != 0 || !complete) {
    return absl::DataLossError(
        absl::StrCat("'", path, "' is damaged or no file: ", reason.empty() ? "it ends too early" : reason));
  }
  return bytes;
}

}  // namespace anybit
