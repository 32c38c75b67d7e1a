#include "base/json.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// A parser's message repeats the token that it stopped in, however long that is.
constexpr size_t kMaxMessageBytes = 300;

// The position behind the string that begins at `at`.
size_t SkipString(absl::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// Checks depth and members in one pass over the text. The result means nothing for a text that is not JSON; the parser
// refuses that. (With nlohmann's callbacks in place of this, each object would cost a walk over its parent array.)
absl::Status CheckLimits(absl::string_view text) {
  std::array<int, kMaxJsonDepth> commas;  // of the arrays and objects that are open
  std::array<bool, kMaxJsonDepth> is_object;
  int depth = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = SkipString(text, at);
      continue;
    }
    ++at;
    if (c == '[' || c == '{') {
      if (depth == kMaxJsonDepth) {
        return absl::InvalidArgumentError(absl::StrCat("JSON nested more than ", kMaxJsonDepth, " deep"));
      }
      commas[depth] = 0;
      is_object[depth++] = c == '{';
    } else if (c == ']' || c == '}') {
      depth = std::max(depth - 1, 0);
    } else if (c == ',' && depth > 0 && ++commas[depth - 1] >= kMaxJsonMembers && is_object[depth - 1]) {
      return absl::InvalidArgumentError(absl::StrCat("a JSON object of more than ", kMaxJsonMembers, " members"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  if (absl::Status status = CheckLimits(text); !status.ok()) return status;
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception& error) {
    const absl::string_view message = error.what();
    return absl::InvalidArgumentError(
        absl::StrCat(message.substr(0, kMaxMessageBytes), message.size() > kMaxMessageBytes ? "..." : ""));
  }
}

absl::StatusOr<Json> ParseJsonObject(absl::string_view text) {
  absl::StatusOr<Json> root = ParseJson(text);
  if (!root.ok()) return absl::InvalidArgumentError(absl::StrCat("not a JSON object: ", root.status().message()));
  if (!root->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("not a JSON object, but of kind ", root->type_name()));
  }
  return root;
}

const Json* JsonMember(const Json& value, const std::string& name) {
  const auto found = value.find(name);  // for another kind than an object, the end
  return found == value.end() ? nullptr : &*found;
}

}  // namespace anybit
