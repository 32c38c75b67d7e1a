#include "server/rest/tensor_json.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json_line.h"

namespace anybit::server {
namespace {

static_assert(std::endian::native == std::endian::little);

// Truth values have one byte, like uint8_t, but other JSON.
enum class Truth : uint8_t { kFalse, kTrue };

absl::Status BadElement(const Json& element, absl::string_view demand) {
  constexpr size_t kMaxShown = 40;
  const std::string shown = element.dump(-1, ' ', true, Json::error_handler_t::replace);
  return absl::InvalidArgumentError(
      absl::StrCat(shown.substr(0, kMaxShown), shown.size() > kMaxShown ? "..." : "", ", not ", demand));
}

template <typename T>
void AppendBytes(T value, std::string& raw) {
  raw.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <std::integral T>
absl::Status AppendElement(const Json& element, T, std::string& raw) {
  T value = 0;
  bool fits = false;
  if (element.is_number_unsigned()) {
    fits = std::in_range<T>(element.get<uint64_t>());
    value = static_cast<T>(element.get<uint64_t>());
  } else if (element.is_number_integer()) {
    fits = std::in_range<T>(element.get<int64_t>());
    value = static_cast<T>(element.get<int64_t>());
  }
  if (!fits) {
    return BadElement(element, absl::StrCat("an integer from ", std::numeric_limits<T>::min(), " to ",
                                            std::numeric_limits<T>::max()));
  }
  AppendBytes(value, raw);
  return absl::OkStatus();
}

template <std::floating_point T>
absl::Status AppendElement(const Json& element, T, std::string& raw) {
  const double value = element.is_number() ? element.get<double>() : std::numeric_limits<double>::infinity();
  if (!(std::abs(value) <= std::numeric_limits<T>::max())) {
    return BadElement(element, absl::StrCat("a number of at most ", std::numeric_limits<T>::max()));
  }
  AppendBytes(static_cast<T>(value), raw);
  return absl::OkStatus();
}

absl::Status AppendElement(const Json& element, Truth, std::string& raw) {
  if (!element.is_boolean()) return BadElement(element, "true or false");
  raw.push_back(element.get<bool>() ? 1 : 0);
  return absl::OkStatus();
}

absl::Status AppendElement(const Json& element, const std::string&, std::string& raw) {
  if (!element.is_string()) return BadElement(element, "a text");
  const std::string& text = element.get_ref<const std::string&>();
  AppendBytes(static_cast<uint32_t>(text.size()), raw);
  raw += text;
  return absl::OkStatus();
}

template <typename T>
absl::Status AppendElements(const Json& data, T type, int64_t& index, std::string& raw) {
  for (const Json& element : data) {
    absl::Status status =
        element.is_array() ? AppendElements(element, type, index, raw) : AppendElement(element, type, raw);
    if (!status.ok()) {
      // The innermost call names the element.
      return element.is_array() ? status
                                : absl::InvalidArgumentError(absl::StrCat("element ", index, " is ", status.message()));
    }
    if (!element.is_array()) ++index;
  }
  return absl::OkStatus();
}

template <std::integral T>
void AppendJson(T value, std::string& json) {
  absl::StrAppend(&json, value);
}

template <std::floating_point T>
void AppendJson(T value, std::string& json) {
  if (!std::isfinite(value)) {
    json += "null";
    return;
  }
  char text[32];  // the shortest form of a double has at most 24 characters
  json.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

void AppendJson(Truth value, std::string& json) { json += value == Truth::kFalse ? "false" : "true"; }

// Takes one element from the front of `raw`; false if it ends within one.
template <typename T>
bool TakeElement(absl::string_view& raw, T& value) {
  if (raw.size() < sizeof(value)) return false;
  std::memcpy(&value, raw.data(), sizeof(value));
  raw.remove_prefix(sizeof(value));
  return true;
}

template <typename T>
bool TakeJson(absl::string_view& raw, T value, std::string& json) {
  if (!TakeElement(raw, value)) return false;
  AppendJson(value, json);
  return true;
}

bool TakeJson(absl::string_view& raw, const std::string&, std::string& json) {
  uint32_t size = 0;
  if (!TakeElement(raw, size) || raw.size() < size) return false;
  json += JsonQuoted(std::string(raw.substr(0, size)));
  raw.remove_prefix(size);
  return true;
}

// Calls `visit` with a value of the C++ type of `datatype`.
template <typename Visit>
absl::Status WithDatatype(absl::string_view datatype, const Visit& visit) {
  if (datatype == "BOOL") return visit(Truth());
  if (datatype == "UINT8") return visit(uint8_t());
  if (datatype == "UINT16") return visit(uint16_t());
  if (datatype == "UINT32") return visit(uint32_t());
  if (datatype == "UINT64") return visit(uint64_t());
  if (datatype == "INT8") return visit(int8_t());
  if (datatype == "INT16") return visit(int16_t());
  if (datatype == "INT32") return visit(int32_t());
  if (datatype == "INT64") return visit(int64_t());
  if (datatype == "FP32") return visit(float());
  if (datatype == "FP64") return visit(double());
  if (datatype == "BYTES") return visit(std::string());
  if (datatype == "FP16" || datatype == "BF16") {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON holds no elements of ", datatype, ": send them as binary data"));
  }
  return absl::InvalidArgumentError("the datatype is none of the protocol");
}

}  // namespace

absl::StatusOr<std::string> RawFromJson(const Json& data, absl::string_view datatype) {
  std::string raw;
  absl::Status status = WithDatatype(datatype, [&](auto type) {
    int64_t index = 0;
    return AppendElements(data, type, index, raw);
  });
  if (!status.ok()) return status;
  return raw;
}

absl::Status AppendJsonArray(absl::string_view raw, absl::string_view datatype, std::string& json) {
  return WithDatatype(datatype, [&](auto type) {
    json += '[';
    for (bool first = true; !raw.empty(); first = false) {
      if (!first) json += ',';
      if (!TakeJson(raw, type, json)) return absl::InvalidArgumentError("raw contents end within an element");
    }
    json += ']';
    return absl::OkStatus();
  });
}

}  // namespace anybit::server
