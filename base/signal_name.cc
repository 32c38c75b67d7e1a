#include "base/signal_name.h"

#include <string.h>

#include "absl/strings/str_cat.h"

namespace anybit {

std::string SignalName(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  return abbreviation == nullptr ? absl::StrCat("signal ", signal) : absl::StrCat("SIG", abbreviation);
}

}  // namespace anybit
