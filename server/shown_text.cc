#include "server/shown_text.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace anybit::server {

std::string ShownText(absl::string_view text) {
  constexpr size_t kMaxShown = 80;
  const bool cut = text.size() > kMaxShown;
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMaxShown)), cut ? "...'" : "'");
}

}  // namespace anybit::server
