// The name of a network, which is the model's on the wire: it stands in paths, labels of metrics and file names.
#ifndef ANYBIT_MODEL_FORMAT_NETWORK_NAME_H_
#define ANYBIT_MODEL_FORMAT_NETWORK_NAME_H_

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace anybit::model {

inline constexpr size_t kMaxNameBytes = 128;
inline constexpr char kNetworkNameCharacters[] = "[A-Za-z0-9_.-]";

inline bool IsInNetworkName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
}

// Whether it has 1 to kMaxNameBytes characters of kNetworkNameCharacters.
inline bool IsNetworkName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), IsInNetworkName);
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_NETWORK_NAME_H_
