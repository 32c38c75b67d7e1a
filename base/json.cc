#include "base/json.h"

#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// A parser's message repeats the token that it stopped in, however long that is.
constexpr size_t kMaxMessageBytes = 300;

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text) {
  bool too_deep = false;
  const auto limit_depth = [&too_deep](int depth, Json::parse_event_t event, Json&) {
    const bool opens = event == Json::parse_event_t::array_start || event == Json::parse_event_t::object_start;
    too_deep |= opens && depth >= kMaxJsonDepth;
    return !too_deep;
  };
  try {
    Json value = Json::parse(text.begin(), text.end(), limit_depth);
    if (too_deep) return absl::InvalidArgumentError(absl::StrCat("JSON nested more than ", kMaxJsonDepth, " deep"));
    return value;
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
