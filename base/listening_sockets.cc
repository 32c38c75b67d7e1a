#include "base/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace anybit {
namespace {

// A probe that comes while others are accepted waits here; the system cuts it to its own limit.
constexpr int kBacklog = 1024;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

absl::StatusOr<Addresses> Resolve(absl::string_view text, const HostAndPort& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &list);
  if (error == 0) return Addresses(list);
  if (error == EAI_AGAIN) {
    return absl::UnavailableError(absl::StrCat(text, ": no name server answers which host '", address.host, "' is"));
  }
  return absl::InvalidArgumentError(absl::StrCat(text, ": unknown host '", address.host, "': ", gai_strerror(error)));
}

absl::Status Failure(absl::string_view text, const HostAndPort& address, int error) {
  switch (error) {
    case EADDRINUSE:
      return absl::UnavailableError(absl::StrCat(text, " is in use: another socket listens on port ", address.port));
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(absl::StrCat(text, ": '", address.host, "' is not an address of this machine"));
    case EAFNOSUPPORT:
      return absl::InvalidArgumentError(
          absl::StrCat(text, ": this machine does not have the address family of '", address.host, "'"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(text, ": the system does not permit port ", address.port,
                                                      address.port < 1024 ? ", which is below 1024" : ""));
    default: return absl::UnavailableError(absl::StrCat(text, ": ", std::strerror(error)));
  }
}

void SetPort(sockaddr* address, int port) {
  const auto wire_port = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = wire_port;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = wire_port;
  }
}

int PortOf(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// A listening socket, or -1 with errno set.
int OpenOne(const addrinfo& address, bool only) {
  const int descriptor = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  const int yes = 1;
  // Otherwise a restart would wait for the last connections' ends to be forgotten.
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  // "::" alone takes IPv4 too; beside an IPv4 socket on the same port it must not.
  const int v6_only = only ? 0 : 1;
  if (address.ai_family == AF_INET6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
  if (bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 && listen(descriptor, kBacklog) == 0) {
    return descriptor;
  }
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

}  // namespace

absl::StatusOr<HostAndPort> ParseHostAndPort(absl::string_view text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not host:port with a port from 0 to 65535 (IPv6 as in [::1]:8001)"));
  };
  const auto colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad();
  absl::string_view host = text.substr(0, colon), port_text = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("[], \t/") != absl::string_view::npos) return bad();
  if ((host.find(':') != absl::string_view::npos) != bracketed) return bad();
  int port = -1;
  const bool digits = !port_text.empty() && std::all_of(port_text.begin(), port_text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(port_text, &port) || port > 65535) return bad();
  return HostAndPort{.host = std::string(host), .port = port};
}

absl::StatusOr<ListeningSockets> ListeningSockets::Open(absl::string_view text) {
  absl::StatusOr<HostAndPort> address = ParseHostAndPort(text);
  if (!address.ok()) return address.status();
  absl::StatusOr<Addresses> list = Resolve(text, *address);
  if (!list.ok()) return list.status();
  ListeningSockets sockets;
  absl::Status missing;  // the first address that this machine does not have
  for (addrinfo* one = list->get(); one != nullptr; one = one->ai_next) {
    if (sockets.port_ != 0) SetPort(one->ai_addr, sockets.port_);
    const int descriptor = OpenOne(*one, /*only=*/(*list)->ai_next == nullptr);
    if (descriptor < 0) {
      const int error = errno;
      const absl::Status status = Failure(text, *address, error);
      if (error != EADDRNOTAVAIL && error != EAFNOSUPPORT) return status;
      missing.Update(status);
      continue;
    }
    sockets.sockets_.push_back({.descriptor = descriptor, .ipv6 = one->ai_family == AF_INET6});
    sockets.port_ = PortOf(descriptor);
  }
  if (sockets.sockets_.empty()) return missing;
  return sockets;
}

absl::Status ListeningSockets::CanOpen(absl::string_view text) { return Open(text).status(); }

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : port_(other.port_), sockets_(std::exchange(other.sockets_, {})) {}

ListeningSockets::~ListeningSockets() {
  for (const Socket& socket : sockets_) close(socket.descriptor);
}

std::vector<ListeningSockets::Socket> ListeningSockets::Release() { return std::exchange(sockets_, {}); }

}  // namespace anybit
