// Sockets that listen on "host:port" or "unix:/path", and, where they cannot, the cause in words.
//
//   absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open("[::]:8000,unix:/run/anybit.sock");
//   if (!sockets.ok()) return sockets.status();   // "[::]:8000 is in use: another socket listens on port 8000"
#ifndef ANYBIT_BASE_LISTENING_SOCKETS_H_
#define ANYBIT_BASE_LISTENING_SOCKETS_H_

#include <cstdint>
#include <memory>
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

// The path of "unix:/path"; "" for other texts.
std::string UnixSocketPath(absl::string_view address);

// The addresses of a list: "host:port" or "unix:/path" with an absolute path, separated by commas. InvalidArgument,
// naming the one, for anything else, an address that stands twice, or none.
absl::StatusOr<std::vector<std::string>> ParseAddresses(absl::string_view text);

// The file of a Unix socket. Its end removes the file, unless another one has taken its place.
class UnixSocketFile {
 public:
  explicit UnixSocketFile(std::string path);
  ~UnixSocketFile();
  UnixSocketFile(const UnixSocketFile&) = delete;
  UnixSocketFile& operator=(const UnixSocketFile&) = delete;

 private:
  const std::string path_;
  uint64_t device_ = 0, inode_ = 0;
};

// What may connect to a Unix socket: its owner and group.
inline constexpr int kDefaultUnixMode = 0660;

class ListeningSockets {
 public:
  // The sockets of a list of addresses (ParseAddresses).
  //
  // One TCP socket for each address of a host, all on the same port; port 0 picks a free one. "::" takes IPv4 as well.
  // An address of a family that this machine does not have is left out if others remain. The file of a Unix socket gets
  // `unix_mode`; one that is left over from a process that has ended is replaced. InvalidArgument for a text that is no
  // address, an unknown host, one that is not this machine's, or a path to something else than a socket; Unavailable if
  // the address is in use or the name server does not answer; PermissionDenied if the system forbids it. The message
  // begins with the address.
  static absl::StatusOr<ListeningSockets> Open(absl::string_view text, int unix_mode = kDefaultUnixMode);

  // The error that Open would return now. It binds and lets go, so a later Open may differ.
  static absl::Status CanOpen(absl::string_view text);

  ListeningSockets(ListeningSockets&& other) noexcept;
  ListeningSockets& operator=(ListeningSockets&&) = delete;
  ~ListeningSockets();

  struct Socket {
    int descriptor = -1;
    int family = 0;                              // AF_INET, AF_INET6 or AF_UNIX
    std::shared_ptr<const UnixSocketFile> file;  // of AF_UNIX: to be kept as long as it listens
  };

  // Of the first address that is not a Unix socket; 0 if there is none.
  int port() const { return ports_.empty() ? 0 : ports_.front(); }
  // Of each address of the list, in its order; 0 for a Unix socket.
  const std::vector<int>& ports() const { return all_ports_; }

  // The caller closes them.
  std::vector<Socket> Release();

 private:
  ListeningSockets() = default;

  absl::Status Add(const std::string& address, int unix_mode);
  absl::Status AddHost(absl::string_view text);
  absl::Status AddUnix(const std::string& path, int mode);

  std::vector<int> all_ports_, ports_;
  std::vector<Socket> sockets_;
};

}  // namespace anybit

#endif  // ANYBIT_BASE_LISTENING_SOCKETS_H_
