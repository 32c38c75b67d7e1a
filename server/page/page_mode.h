// What the page at / offers.
#ifndef ANYBIT_SERVER_PAGE_PAGE_MODE_H_
#define ANYBIT_SERVER_PAGE_PAGE_MODE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace anybit::server {

enum class PageMode {
  kOff,   // there is no page
  kView,  // it shows what the server does
  kTry,   // and sends images that someone draws or chooses
};

// InvalidArgument for anything else than "off", "view" and "try".
inline absl::StatusOr<PageMode> ParsePageMode(absl::string_view text) {
  if (text == "off") return PageMode::kOff;
  if (text == "view") return PageMode::kView;
  if (text == "try") return PageMode::kTry;
  return absl::InvalidArgumentError(absl::StrCat("--page is ", text, ", not off, view or try"));
}

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PAGE_PAGE_MODE_H_
