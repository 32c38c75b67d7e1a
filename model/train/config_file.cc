#include "model/train/config_file.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace anybit::model::train {

absl::StatusOr<std::vector<ConfigEntry>> ParseConfig(absl::string_view text, const std::vector<std::string>& known,
                                                     absl::string_view path) {
  std::vector<ConfigEntry> entries;
  std::map<std::string, int> lines;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(line, absl::MaxSplits('=', 1));
    const auto error = [&](const auto&... parts) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", parts...));
    };
    if (pair.first.size() == line.size()) return error("'", line, "' is not key = value");
    const ConfigEntry entry{std::string(absl::StripAsciiWhitespace(pair.first)),
                            std::string(absl::StripAsciiWhitespace(pair.second)), number};
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      return error("unknown key '", entry.key, "'; known: ", absl::StrJoin(known, ", "));
    }
    const auto [before, is_new] = lines.emplace(entry.key, number);
    if (!is_new) return error("'", entry.key, "' is already set in line ", before->second);
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace anybit::model::train
