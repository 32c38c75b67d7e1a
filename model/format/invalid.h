// InvalidArgument from parts of a message, as absl::StrCat takes them.
#ifndef ANYBIT_MODEL_FORMAT_INVALID_H_
#define ANYBIT_MODEL_FORMAT_INVALID_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace anybit::model {

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_INVALID_H_
