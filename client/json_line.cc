#include "client/json_line.h"

#include <cmath>

#include "absl/strings/str_format.h"
#include "base/utf8.h"

namespace anybit {
namespace {

std::string Quoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : ToValidUtf8(text)) {
    if (c == '"' || c == '\\') {
      json += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      json += c;
    }
  }
  return json + "\"";
}

}  // namespace

JsonLine& JsonLine::Add(const std::string& key, const std::string& text) { return AddRaw(key, Quoted(text)); }

JsonLine& JsonLine::Add(const std::string& key, const JsonLine& object) { return AddRaw(key, object.text()); }

JsonLine& JsonLine::AddReal(const std::string& key, double number) {
  return AddRaw(key, std::isfinite(number) ? absl::StrCat(number) : "null");
}

JsonLine& JsonLine::AddRaw(const std::string& key, const std::string& json) {
  if (!members_.empty()) members_ += ",";
  absl::StrAppend(&members_, Quoted(key), ":", json);
  return *this;
}

}  // namespace anybit
