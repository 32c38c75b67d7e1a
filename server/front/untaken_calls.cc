#include "server/front/untaken_calls.h"

#include <algorithm>

namespace anybit::server {

int UntakenCalls::Free(MonoTime now, int64_t taken) {
  if (now - looked_at_ >= kCounts) {
    looked_at_ = now;
    passed_before_ = passed_then_;
    passed_then_ = passed_;
  }
  const int64_t untaken = std::max<int64_t>(passed_ - taken, 0);
  // Calls are taken in their order, but for those that never are.
  given_up_ = std::min(std::max(given_up_, passed_before_ - taken), untaken);
  return static_cast<int>(std::max<int64_t>(most_ - (untaken - given_up_), 0));
}

}  // namespace anybit::server
