// How many calls may pass to gRPC, so that few wait inside it until the intake takes them.
//
// What is passed and not taken waits there. Some of it is never taken: calls that are cancelled first, and those of
// connections that gRPC has closed. So a call counts for a short time only, or one client could hold up all others.
#ifndef ANYBIT_SERVER_FRONT_UNTAKEN_CALLS_H_
#define ANYBIT_SERVER_FRONT_UNTAKEN_CALLS_H_

#include <chrono>
#include <cstdint>

#include "base/time.h"

namespace anybit::server {

class UntakenCalls {
 public:
  // For how long a call counts at least that is not taken; at most twice as long, if Free is called as often. Long
  // beside the time in which the intake takes a call.
  static constexpr Duration kCounts = std::chrono::milliseconds(20);

  // So many calls may wait.
  explicit UntakenCalls(int most) : most_(most) {}

  // So many more have passed.
  void Pass(int64_t calls) { passed_ += calls; }

  // How many more may pass now, 0 to `most`. `taken`: of all that have ever passed. Neither goes back.
  int Free(MonoTime now, int64_t taken);

 private:
  const int most_;
  int64_t passed_ = 0;
  int64_t given_up_ = 0;  // passed and not taken, and no longer waited for
  // What had passed when time was looked at last, and the time before: kCounts ago or longer.
  MonoTime looked_at_{};
  int64_t passed_then_ = 0, passed_before_ = 0;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_UNTAKEN_CALLS_H_
