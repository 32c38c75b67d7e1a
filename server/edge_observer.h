// The events of the edge: what ends there never reaches the scheduler, nor the scheduler's observers.
#ifndef ANYBIT_SERVER_EDGE_OBSERVER_H_
#define ANYBIT_SERVER_EDGE_OBSERVER_H_

#include <array>
#include <cstddef>

#include "absl/status/status.h"
#include "scheduler/request.h"

namespace anybit::server {

// Why a call was refused that never became a request to the network.
enum class RefusedCallReason : size_t {
  kUnknownMethod,      // no such method, or one that is not offered
  kMalformedMessage,   // its bytes are not the method's message
  kIncompleteMessage,  // the call ended, or exceeded the size limit, before its message was there
  kUnauthenticated,    // its client has not shown the token that the server demands
};
// By RefusedCallReason.
inline constexpr std::array kRefusedCallReasonNames = {"unknown_method", "malformed_message", "incomplete_message",
                                                       "unauthenticated"};

// Any thread; must not block.
class EdgeObserver {
 public:
  virtual ~EdgeObserver() = default;

  // A request was not acceptable: malformed, of another model, or asking for what no operating point offers.
  virtual void OnInvalid(const absl::Status& reason) {}

  // A request came before the server was ready for it.
  virtual void OnUnavailable() {}

  // A request was refused before it was read as a whole.
  virtual void OnShed(scheduler::ShedReason reason) {}

  // The deadline of a call had passed when the server saw it.
  virtual void OnExpired() {}

  // A call ended before it was a request; of kMalformedMessage, OnInvalid tells as well.
  virtual void OnRefusedCall(RefusedCallReason reason) {}
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_EDGE_OBSERVER_H_
