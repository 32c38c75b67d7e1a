// The deadline that a client gave to gRPC, which is an instant of wall time, as a duration that is left.
//
// The only place that subtracts wall times. The caller brings the present one.
#ifndef ANYBIT_SERVER_GRPC_DEADLINE_H_
#define ANYBIT_SERVER_GRPC_DEADLINE_H_

#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace anybit::server {

using WallTime = std::chrono::system_clock::time_point;

// The machine's clock, for programs; what is tested gets the time from its caller.
inline WallTime WallNow() { return std::chrono::system_clock::now(); }

class GrpcDeadline {
 public:
  GrpcDeadline() = default;  // none

  // `at`: as gRPC's server context has it, WallTime::max() for none. `now`: when the call arrived.
  GrpcDeadline(WallTime at, WallTime now) : at_(at), near_end_(NearEnd(Left(now))) {}

  // Duration::max() if there is no deadline; negative after it.
  Duration Left(WallTime now) const { return at_ == WallTime::max() ? Duration::max() : Duration(at_ - now); }

  // Whether a call that ends at `now` is taken for ended by the deadline. gRPC reports a cancellation and an ended
  // deadline alike, so the instant has to tell.
  bool HasEnded(WallTime now) const { return Left(now) <= near_end_; }

 private:
  // How long before the server's copy of the deadline the client's timer may fire. The copy is later by the time that
  // the call took to arrive: a few milliseconds where deadlines of tens of them make sense. It is later, too, by the
  // rounding of the wire, which carries the time left in two digits or more, rounded up. A cancellation mistaken for
  // the end costs at most one useless run; kMaxRounding keeps such a call from holding up the server's stop.
  static Duration NearEnd(Duration time_limit) {
    constexpr Duration kTransmission = std::chrono::milliseconds(5);
    constexpr Duration kMaxRounding = std::chrono::seconds(1);
    return kTransmission + std::min(time_limit / 100, kMaxRounding);
  }

  WallTime at_ = WallTime::max();
  Duration near_end_{};
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_GRPC_DEADLINE_H_
