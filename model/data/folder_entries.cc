#include "model/data/folder_entries.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {

absl::StatusOr<FolderEntries> ListFolder(const std::string& folder) {
  namespace fs = std::filesystem;
  FolderEntries entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    std::error_code unknown;
    auto& names = absl::StartsWith(name, ".") ? entries.hidden
                  : it->is_directory(unknown) ? entries.folders
                                              : entries.files;
    names.push_back(std::move(name));
  }
  if (error) return absl::UnavailableError(absl::StrCat("cannot list '", folder, "': ", error.message()));
  for (auto* names : {&entries.folders, &entries.files, &entries.hidden}) std::sort(names->begin(), names->end());
  return entries;
}

bool IsImageName(absl::string_view name) {
  return absl::EndsWithIgnoreCase(name, ".png") || absl::EndsWithIgnoreCase(name, ".jpg") ||
         absl::EndsWithIgnoreCase(name, ".jpeg") || absl::EndsWithIgnoreCase(name, ".pgm");
}

std::string NamesText(const std::vector<std::string>& names, size_t shown) {
  if (names.empty()) return "nothing";
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(shown, names.size()));
  const std::string text = absl::StrCat("'", absl::StrJoin(names.begin(), end, "', '"), "'");
  return names.size() <= shown ? text : absl::StrCat(text, " and ", names.size() - shown, " more");
}

}  // namespace anybit::model
