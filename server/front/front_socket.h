// One end of a connection: a socket that is not blocking, with what epoll has told of it, in TLS or without.
#ifndef ANYBIT_SERVER_FRONT_FRONT_SOCKET_H_
#define ANYBIT_SERVER_FRONT_FRONT_SOCKET_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace anybit::server {

// TLS as the server of one connection.
struct DeleteTls {
  void operator()(SSL* connection) const { SSL_free(connection); }
};
using TlsConnection = std::unique_ptr<SSL, DeleteTls>;

// On this socket; null if there is no memory. The connection shares the context.
TlsConnection ServeTls(SSL_CTX& context, int descriptor);

class FrontSocket {
 public:
  // With `tls`, of this descriptor, reads and writes begin with the TLS handshake.
  explicit FrontSocket(int descriptor, TlsConnection tls = nullptr) : descriptor_(descriptor), tls_(std::move(tls)) {}
  ~FrontSocket();
  FrontSocket(const FrontSocket&) = delete;
  FrontSocket& operator=(const FrontSocket&) = delete;

  int descriptor() const { return descriptor_; }
  // Null without TLS.
  const SSL* tls() const { return tls_.get(); }
  // Epoll's event, edge-triggered.
  void OnEvent(uint32_t events);

  bool may_read() const { return may_read_; }
  bool has_ended() const { return has_ended_; }
  // The end comes behind what is there to read.
  bool is_closing() const { return is_closing_; }
  // False: what was unsent before does not fit yet, or the TLS handshake is not done.
  bool may_write() const { return may_write_; }

  // Reads once; what was read.
  absl::string_view Read(std::span<char> into);
  // Sends what the socket takes, and removes it from `bytes`.
  void Write(std::string& bytes);

 private:
  absl::string_view ReadTls(std::span<char> into);
  size_t WriteTls(absl::string_view bytes);
  size_t WritePlain(absl::string_view bytes);
  bool MayGoOn(int result);

  const int descriptor_;
  const TlsConnection tls_;
  bool may_read_ = true;
  bool is_closing_ = false;  // the peer sends no more than what is there
  bool may_write_ = true;
  bool has_ended_ = false;
  bool is_broken_ = false;  // TLS has failed, so that not even its end can be told
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_FRONT_SOCKET_H_
