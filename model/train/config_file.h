// Flags from a file: one `key = value` per line; `#` starts a comment.
#ifndef ANYBIT_MODEL_TRAIN_CONFIG_FILE_H_
#define ANYBIT_MODEL_TRAIN_CONFIG_FILE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::model::train {

struct ConfigEntry {
  std::string key;
  std::string value;  // without surrounding blanks; may be empty
  int line = 0;       // from 1
};

// The entries in the order of their lines. InvalidArgument, with `path` and the line, for a line that is not
// `key = value`, a key that is not in `known`, or a key that is set twice.
absl::StatusOr<std::vector<ConfigEntry>> ParseConfig(absl::string_view text, const std::vector<std::string>& known,
                                                     absl::string_view path);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONFIG_FILE_H_
