// Sockets that listen on "host:port", and, where they cannot, the cause in words.
//
//   absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("[::]:8002");
//   if (!sockets.ok()) return sockets.status();   // "[::]:8002 is in use: another socket listens on port 8002"
#ifndef ANYBIT_BASE_LISTENING_SOCKETS_H_
#define ANYBIT_BASE_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit {

struct HostAndPort {
  std::string host;  // a name or a number; of IPv6 without brackets
  int port = 0;      // 0..65535

  friend bool operator==(const HostAndPort&, const HostAndPort&) = default;
};

// "host:port"; a host with colons, which is an IPv6 number, stands in brackets. InvalidArgument, naming `text`, for
// anything else.
absl::StatusOr<HostAndPort> ParseHostAndPort(absl::string_view text);

class ListeningSockets {
 public:
  // One TCP socket for each address of the host, all on the same port; port 0 picks a free one. "::" takes IPv4 as
  // well. An address of a family that this machine does not have is left out if others remain. InvalidArgument for a
  // text that is no address, an unknown host, or one that is not this machine's; Unavailable if the address is in use
  // or the name server does not answer; PermissionDenied if the system forbids it. The message begins with `text`.
  static absl::StatusOr<ListeningSockets> Open(absl::string_view text);

  // The error that Open would return now. It binds and lets go, so a later Open may differ.
  static absl::Status CanOpen(absl::string_view text);

  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&&) = delete;
  ~ListeningSockets();

  struct Socket {
    int descriptor = -1;
    bool ipv6 = false;
  };

  int port() const { return port_; }

  // The caller closes them.
  std::vector<Socket> Release();

 private:
  ListeningSockets() = default;

  int port_ = 0;
  std::vector<Socket> sockets_;
};

}  // namespace anybit

#endif  // ANYBIT_BASE_LISTENING_SOCKETS_H_
