#include "server/trace_parent.h"

#include <algorithm>

namespace anybit::server {
namespace {

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool HasOther(absl::string_view text, char than) {
  return std::any_of(text.begin(), text.end(), [than](char c) { return c != than; });
}

}  // namespace

bool IsTraceParent(absl::string_view text) {
  return text.size() == 55 && text.substr(0, 3) == "00-" && text[35] == '-' && text[52] == '-' &&
         IsLowerHex(text.substr(3, 32)) && IsLowerHex(text.substr(36, 16)) && IsLowerHex(text.substr(53, 2)) &&
         HasOther(text.substr(3, 32), '0') && HasOther(text.substr(36, 16), '0');
}

absl::string_view TraceIdOf(absl::string_view trace_parent) {
  return IsTraceParent(trace_parent) ? trace_parent.substr(3, 32) : "";
}

}  // namespace anybit::server
