#include "server/rest/rest_path.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace anybit::server {
namespace {

absl::StatusOr<std::string> Unescaped(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) || !absl::ascii_isxdigit(text[i + 2])) {
      return absl::InvalidArgumentError("the path has a '%' that two hexadecimal digits do not follow");
    }
    plain += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return plain;
}

}  // namespace

absl::StatusOr<RestPath> ParseRestPath(absl::string_view path) {
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();  // "/v2/" is "/v2"
  RestPath parsed;
  // "", "v2", "models" or "repository", ["models"], name, ["versions", version], ...
  for (size_t i = 2; i + 1 < parts.size(); ++i) {
    if (parts[i] != "models") continue;
    // Triton's /v2/models/stats is of all models.
    if (i == 2 && parts.size() == 4 && parts[3] == "stats") break;
    absl::StatusOr<std::string> name = Unescaped(parts[i + 1]);
    if (!name.ok()) return name.status();
    parsed.model = *std::move(name);
    parts[i + 1] = "*";
    if (i + 3 < parts.size() && parts[i + 2] == "versions") {
      absl::StatusOr<std::string> version = Unescaped(parts[i + 3]);
      if (!version.ok()) return version.status();
      parsed.version = *std::move(version);
      parts.erase(parts.begin() + i + 2, parts.begin() + i + 4);
    }
    break;
  }
  parsed.pattern = absl::StrJoin(parts, "/");
  return parsed;
}

}  // namespace anybit::server
