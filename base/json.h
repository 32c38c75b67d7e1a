// JSON that is read: nlohmann's values, behind Status instead of exceptions.
//
//   absl::StatusOr<Json> root = ParseJson(text);
//   if (const Json* name = JsonMember(*root, "name"); name != nullptr && name->is_string())
//   Use(name->get<std::string>());
//
// Ask for a value's kind before you get it: nlohmann throws where a kind is wrong. json_line.h writes.
#ifndef ANYBIT_BASE_JSON_H_
#define ANYBIT_BASE_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace anybit {

using Json = nlohmann::ordered_json;

// Arrays and objects inside one another; more are refused, since walking them is recursive.
inline constexpr int kMaxJsonDepth = 100;
// Members of one object; more are refused, since each is compared with all before it.
inline constexpr int kMaxJsonMembers = 1000;

// InvalidArgument, with the place and the reason, for a text that is not JSON (RFC 8259) or exceeds a limit above.
absl::StatusOr<Json> ParseJson(absl::string_view text);

// The same for a text that must hold an object.
absl::StatusOr<Json> ParseJsonObject(absl::string_view text);

// The member `name` of `value`; null where it has none, or is no object.
const Json* JsonMember(const Json& value, const std::string& name);

}  // namespace anybit

#endif  // ANYBIT_BASE_JSON_H_
