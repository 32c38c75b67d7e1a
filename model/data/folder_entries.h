// The entries of a folder by name, and their text for messages.
#ifndef ANYBIT_MODEL_DATA_FOLDER_ENTRIES_H_
#define ANYBIT_MODEL_DATA_FOLDER_ENTRIES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::model {

// Names, sorted bytewise. A link counts as its target.
struct FolderEntries {
  std::vector<std::string> folders;
  std::vector<std::string> files;
  std::vector<std::string> hidden;  // folders and files whose names begin with a dot
};

// Unavailable, naming the folder and the reason, where it cannot be listed. To skip it silently would change the
// training data.
absl::StatusOr<FolderEntries> ListFolder(const std::string& folder);

// Whether the name ends in .png, .jpg, .jpeg or .pgm, in any case.
bool IsImageName(absl::string_view name);

// "'a', 'b', 'c' and 5 more", with at most `shown` names; "nothing" where there are none.
std::string NamesText(const std::vector<std::string>& names, size_t shown = 8);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_FOLDER_ENTRIES_H_
