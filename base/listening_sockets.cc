#include "base/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace anybit {
namespace {

// A probe that comes while others are accepted waits here; the system cuts it to its own limit.
constexpr int kBacklog = 1024;

constexpr absl::string_view kUnixPrefix = "unix:";
constexpr size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

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

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, kMaxUnixPath);
  return address;
}

absl::Status UnixFailure(const std::string& path, int error) {
  const std::string message = absl::StrCat(kUnixPrefix, path, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  if (error == ENOENT || error == ENOTDIR) return absl::InvalidArgumentError(message);
  return absl::UnavailableError(message);
}

// Removes the file of a socket that nobody listens on. Unavailable if somebody does.
absl::Status RemoveStale(const std::string& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) return absl::OkStatus();  // or bind tells
  if (!S_ISSOCK(facts.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(kUnixPrefix, path, " is not a socket, and is left alone"));
  }
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un address = UnixAddress(path);
  const int connected = connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(descriptor);
  if (connected != 0 && error == ECONNREFUSED) {
    return unlink(path.c_str()) == 0 ? absl::OkStatus() : UnixFailure(path, errno);
  }
  // A full backlog (EAGAIN) is one of a socket that lives.
  if (connected != 0 && error != EAGAIN) return UnixFailure(path, error);
  return absl::UnavailableError(absl::StrCat(kUnixPrefix, path, " is in use: another process listens on it"));
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

std::string UnixSocketPath(absl::string_view address) {
  return absl::StartsWith(address, kUnixPrefix) ? std::string(address.substr(kUnixPrefix.size())) : "";
}

absl::StatusOr<std::vector<std::string>> ParseAddresses(absl::string_view text) {
  std::vector<std::string> addresses = absl::StrSplit(text, ',');
  for (auto address = addresses.begin(); address != addresses.end(); ++address) {
    if (absl::StartsWith(*address, kUnixPrefix)) {
      const std::string path = UnixSocketPath(*address);
      if (path.empty() || path[0] != '/' || path.size() > kMaxUnixPath) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", *address, "' is not unix:/path with an absolute path of at most ", kMaxUnixPath, " bytes"));
      }
    } else if (absl::Status status = ParseHostAndPort(*address).status(); !status.ok()) {
      return status;
    }
    const bool is_any = absl::EndsWith(*address, ":0");
    if (!is_any && std::find(addresses.begin(), address, *address) != address) {
      return absl::InvalidArgumentError(absl::StrCat("'", *address, "' stands twice in ", text));
    }
  }
  return addresses;
}

UnixSocketFile::UnixSocketFile(std::string path) : path_(std::move(path)) {
  struct stat facts {};
  if (stat(path_.c_str(), &facts) != 0) return;
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
}

UnixSocketFile::~UnixSocketFile() {
  struct stat facts {};
  if (stat(path_.c_str(), &facts) != 0 || facts.st_dev != device_ || facts.st_ino != inode_) return;
  unlink(path_.c_str());
}

absl::StatusOr<ListeningSockets> ListeningSockets::Open(absl::string_view text, int unix_mode) {
  absl::StatusOr<std::vector<std::string>> addresses = ParseAddresses(text);
  if (!addresses.ok()) return addresses.status();
  ListeningSockets sockets;
  for (const std::string& address : *addresses) {
    if (absl::Status status = sockets.Add(address, unix_mode); !status.ok()) return status;
  }
  return sockets;
}

absl::Status ListeningSockets::Add(const std::string& address, int unix_mode) {
  const std::string path = UnixSocketPath(address);
  if (path.empty()) return AddHost(address);
  all_ports_.push_back(0);
  return AddUnix(path, unix_mode);
}

absl::Status ListeningSockets::AddHost(absl::string_view text) {
  absl::StatusOr<HostAndPort> address = ParseHostAndPort(text);
  if (!address.ok()) return address.status();
  absl::StatusOr<Addresses> list = Resolve(text, *address);
  if (!list.ok()) return list.status();
  int port = 0;
  absl::Status missing;  // the first address that this machine does not have
  for (addrinfo* one = list->get(); one != nullptr; one = one->ai_next) {
    if (port != 0) SetPort(one->ai_addr, port);
    const int descriptor = OpenOne(*one, /*only=*/(*list)->ai_next == nullptr);
    if (descriptor < 0) {
      const int error = errno;
      const absl::Status status = Failure(text, *address, error);
      if (error != EADDRNOTAVAIL && error != EAFNOSUPPORT) return status;
      missing.Update(status);
      continue;
    }
    sockets_.push_back({.descriptor = descriptor, .family = one->ai_family, .file = nullptr});
    port = PortOf(descriptor);
  }
  if (port == 0) return missing;
  ports_.push_back(port);
  all_ports_.push_back(port);
  return absl::OkStatus();
}

absl::Status ListeningSockets::AddUnix(const std::string& path, int mode) {
  if (absl::Status status = RemoveStale(path); !status.ok()) return status;
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un address = UnixAddress(path);
  if (descriptor < 0 || bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (descriptor >= 0) close(descriptor);
    return UnixFailure(path, error);
  }
  sockets_.push_back({.descriptor = descriptor, .family = AF_UNIX, .file = std::make_shared<UnixSocketFile>(path)});
  // Nobody can connect before it listens.
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0 || listen(descriptor, kBacklog) != 0) {
    return UnixFailure(path, errno);
  }
  return absl::OkStatus();
}

absl::Status ListeningSockets::CanOpen(absl::string_view text) { return Open(text).status(); }

ListeningSockets::ListeningSockets(ListeningSockets&& other) noexcept
    : all_ports_(other.all_ports_), ports_(other.ports_), sockets_(std::exchange(other.sockets_, {})) {}

ListeningSockets::~ListeningSockets() {
  for (const Socket& socket : sockets_) close(socket.descriptor);
}

std::vector<ListeningSockets::Socket> ListeningSockets::Release() { return std::exchange(sockets_, {}); }

}  // namespace anybit
