// A client's text as it may stand in a message.
#ifndef ANYBIT_SERVER_SHOWN_TEXT_H_
#define ANYBIT_SERVER_SHOWN_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace anybit::server {

// Quoted, escaped and cut: printable, and short enough that a few fit into a header of 8 KiB.
std::string ShownText(absl::string_view text);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SHOWN_TEXT_H_
