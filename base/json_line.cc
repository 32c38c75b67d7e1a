#include "base/json_line.h"

#include <cmath>

#include "base/json.h"
#include "base/utf8.h"

namespace anybit {

// nlohmann replaces a cut-off character by one U+FFFD, whatever the number of its bytes: they are replaced before.
std::string JsonQuoted(const std::string& text) { return Json(ToValidUtf8(text)).dump(); }

JsonLine& JsonLine::AddReal(const std::string& key, double number) {
  return AddRaw(key, std::isfinite(number) ? absl::StrCat(number) : "null");
}

JsonLine& JsonLine::AddRaw(const std::string& key, const std::string& json) {
  if (!members_.empty()) members_ += ",";
  absl::StrAppend(&members_, JsonQuoted(key), ":", json);
  return *this;
}

}  // namespace anybit
