// JSON that is written: texts quoted, and objects of one line each, for a program that reads line by line.
#ifndef ANYBIT_BASE_JSON_LINE_H_
#define ANYBIT_BASE_JSON_LINE_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace anybit {

// The text as a JSON string, quotes included. Each byte that is not UTF-8 becomes U+FFFD.
std::string JsonQuoted(const std::string& text);

//   std::cout << JsonLine().Add("answered", 3).Add("top1", 0.5).text() << "\n";   // {"answered":3,"top1":0.5}
class JsonLine {
 public:
  // Members keep the order in which they are added. Numbers have six significant digits; one that is not finite becomes
  // null.
  JsonLine& Add(const std::string& key, const std::string& text) { return AddRaw(key, JsonQuoted(text)); }
  JsonLine& Add(const std::string& key, const char* text) { return Add(key, std::string(text)); }
  JsonLine& Add(const std::string& key, const JsonLine& object) { return AddRaw(key, object.text()); }
  JsonLine& Add(const std::string& key, std::floating_point auto number) { return AddReal(key, number); }
  template <std::integral T>
  JsonLine& Add(const std::string& key, T value) {
    if constexpr (std::same_as<T, bool>)
      return AddRaw(key, value ? "true" : "false");
    else
      return AddRaw(key, absl::StrCat(value));
  }
  // Nothing is added where there is no value.
  template <typename T>
  JsonLine& Add(const std::string& key, const std::optional<T>& value) {
    return value.has_value() ? Add(key, *value) : *this;
  }

  // The object, without a line end.
  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonLine& AddReal(const std::string& key, double number);
  JsonLine& AddRaw(const std::string& key, const std::string& json);

  std::string members_;
};

}  // namespace anybit

#endif  // ANYBIT_BASE_JSON_LINE_H_
