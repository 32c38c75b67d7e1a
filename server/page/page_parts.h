// The files of the page as texts, from the build.
#ifndef ANYBIT_SERVER_PAGE_PAGE_PARTS_H_
#define ANYBIT_SERVER_PAGE_PAGE_PARTS_H_

#include "absl/strings/string_view.h"

namespace anybit::server {

extern const absl::string_view kPageBody;
extern const absl::string_view kPageStyle;
extern const absl::string_view kPageScript;

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PAGE_PAGE_PARTS_H_
