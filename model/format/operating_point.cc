#include "model/format/operating_point.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {

absl::Status CheckPointName(const std::string& name) {
  if (name.empty() || name.size() > 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("operating point name of ", name.size(), " characters, expected 1..64"));
  }
  if (name == "store" || name == "full") {
    return absl::InvalidArgumentError(absl::StrCat("operating point name '", name, "' is reserved"));
  }
  for (char c : name) {
    const bool legal = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!legal) {
      return absl::InvalidArgumentError(
          absl::StrCat("operating point name '", name, "' has a character outside [a-z0-9_]"));
    }
  }
  return absl::OkStatus();
}

}  // namespace anybit::model
