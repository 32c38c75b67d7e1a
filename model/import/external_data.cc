#include "model/import/external_data.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;

// Whether `path` is `folder` or lies below it; both without links.
bool Below(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

}  // namespace

absl::StatusOr<std::string> ReadExternalData(const std::string& folder, const std::string& location, int64_t offset,
                                             int64_t length) {
  const auto refused = [&](const auto&... reason) {
    return absl::InvalidArgumentError(absl::StrCat("external data '", location, "': ", reason...));
  };
  if (folder.empty()) return refused("the model has no folder to read them from");
  const fs::path relative(location);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (location.empty() || relative.is_absolute() || climbs || location.find('\0') != std::string::npos) {
    return refused("not a path inside the model's folder");
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return refused("the model's folder: ", error.message());
  const fs::path file = fs::canonical(root / relative, error);
  if (error) return refused(error.message());
  if (!Below(file, root)) return refused("a link that leaves the model's folder");
  if (!fs::is_regular_file(file, error)) return refused("not a file");
  const auto size = static_cast<int64_t>(fs::file_size(file, error));
  if (error) return refused(error.message());
  if (offset < 0 || length < 0 || offset > size || length > size - offset) {
    return refused(length, " bytes from ", offset, " are not inside its ", size, " bytes");
  }
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(static_cast<size_t>(length), '\0');
  stream.seekg(offset);
  if (!stream.read(bytes.data(), length)) return refused("cannot be read");
  return bytes;
}

}  // namespace anybit::model
