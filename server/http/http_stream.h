// The bytes of one HTTP connection, over TCP or a Unix socket, plain or in TLS. A stream of Asio and Beast.
#ifndef ANYBIT_SERVER_HTTP_HTTP_STREAM_H_
#define ANYBIT_SERVER_HTTP_HTTP_STREAM_H_

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>

#include "base/time.h"
#include "server/http/tls_contexts.h"

namespace anybit::server {

class HttpStream {
 public:
  using Protocol = boost::asio::generic::stream_protocol;
  using Plain = boost::beast::basic_stream<Protocol>;
  using executor_type = Plain::executor_type;

  // With `tls`, Handshake comes first.
  HttpStream(Protocol::socket socket, std::shared_ptr<boost::asio::ssl::context> tls)
      : context_(std::move(tls)), plain_(std::move(socket)) {
    if (context_ != nullptr) tls_.emplace(plain_, *context_);
  }

  executor_type get_executor() { return plain_.get_executor(); }
  Protocol::socket& socket() { return plain_.socket(); }
  bool has_tls() const { return tls_.has_value(); }

  void expires_after(Duration limit) { plain_.expires_after(limit); }
  void expires_never() { plain_.expires_never(); }
  void close() { plain_.close(); }

  template <typename Handler>
  void Handshake(Handler handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
  }
  // After Handshake: the name in the client's certificate, "" without.
  std::string client_name() { return has_tls() ? ClientName(tls_->native_handle()) : ""; }

  // Tells the client that no more comes, then calls `handler`.
  template <typename Handler>
  void ShutDown(Handler handler) {
    if (has_tls()) return tls_->async_shutdown(std::move(handler));
    boost::system::error_code error;
    plain_.socket().shutdown(Protocol::socket::shutdown_send, error);
    handler(error);
  }

  // Whether the client has closed its side, as far as is known. In TLS its farewell stands in front of the end.
  bool IsClosedByPeer() {
    pollfd socket{.fd = plain_.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
    return poll(&socket, 1, 0) > 0;
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (has_tls()) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (has_tls()) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

 private:
  const std::shared_ptr<boost::asio::ssl::context> context_;  // of tls_
  Plain plain_;
  std::optional<boost::asio::ssl::stream<Plain&>> tls_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HTTP_HTTP_STREAM_H_
