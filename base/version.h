// The version of all programs of this tree.
#ifndef ANYBIT_BASE_VERSION_H_
#define ANYBIT_BASE_VERSION_H_

#include "absl/strings/string_view.h"

namespace anybit {

inline constexpr absl::string_view kVersion = "0.1.0";

}  // namespace anybit

#endif  // ANYBIT_BASE_VERSION_H_
