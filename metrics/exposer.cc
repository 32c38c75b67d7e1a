#include "metrics/exposer.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/listening_sockets.h"

namespace anybit::metrics {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Response = http::response<http::string_body>;

constexpr uint32_t kMaxHeaderBytes = 8192;
// After the answer, for a client that still sends: a connection closed before it has ended loses the answer.
constexpr auto kLinger = std::chrono::seconds(1);
// Where the process has no descriptor left, accepting at once would only fail again.
constexpr auto kAcceptAgain = std::chrono::milliseconds(20);

Response MakeResponse(http::status code, const char* type, std::string body) {
  Response response(code, 11);
  response.set(http::field::content_type, type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(false);
  response.content_length(body.size());
  if (code == http::status::method_not_allowed) response.set(http::field::allow, "GET, HEAD");
  response.body() = std::move(body);
  return response;
}

Response Plain(http::status code, std::string body) { return MakeResponse(code, "text/plain", std::move(body)); }

}  // namespace

// Everything below runs on thread_, but for the page of metrics. Members stand in the order of their making.
class Exposer::Listener {
 public:
  Listener(std::vector<ListeningSockets::Socket> sockets, Pages pages, ExposerLimits limits)
      : pages_(std::move(pages)), limits_(limits) {
    for (const ListeningSockets::Socket& socket : sockets) {
      acceptors_.push_back(std::make_unique<Acceptor>(io_));
      Acceptor& acceptor = *acceptors_.back();
      acceptor.socket.assign(socket.ipv6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), socket.descriptor);
      Accept(acceptor);
    }
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Listener() {
    writing_metrics_.join();
    io_.stop();
    thread_.join();
  }

 private:
  struct Acceptor {
    explicit Acceptor(asio::io_context& io) : socket(io), again(io) {}
    asio::ip::tcp::acceptor socket;
    asio::steady_timer again;
  };

  // One request and its answer. It lives as long as an operation of it is under way.
  class Connection : public std::enable_shared_from_this<Connection> {
   public:
    Connection(Listener& listener, asio::ip::tcp::socket socket)
        : listener_(listener),
          stream_(std::move(socket)),
          place_(listener.connections_.insert(listener.connections_.end(), this)) {
      parser_.header_limit(kMaxHeaderBytes);
    }
    ~Connection() { Leave(); }

    void Read() {
      stream_.expires_after(listener_.limits_.idle);
      // The body, should there be one, is of no interest.
      http::async_read_header(stream_, buffer_, parser_,
                              [self = shared_from_this()](error_code error, size_t) { self->OnRead(error); });
    }

    // What is under way ends with an error.
    void Close() {
      Leave();
      stream_.close();
    }

   private:
    void Leave() {
      if (place_.has_value()) listener_.connections_.erase(*place_);
      place_.reset();
    }

    void OnRead(error_code error) {
      if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return Answer(Plain(http::status::request_header_fields_too_large, "the header is larger than 8 KiB\n"));
      }
      if (error && error.category() == make_error_code(http::error::bad_method).category() &&
          error != http::error::end_of_stream && error != http::error::partial_message) {
        return Answer(Plain(http::status::bad_request, "this is not a request of HTTP/1.1\n"));
      }
      if (error) return;
      const http::verb method = parser_.get().method();
      is_head_ = method == http::verb::head;
      const beast::string_view target = parser_.get().target();
      const beast::string_view path = target.substr(0, target.find('?'));
      if (path != "/livez" && path != "/readyz" && path != "/metrics") {
        return Answer(Plain(http::status::not_found, "there are /metrics, /livez and /readyz\n"));
      }
      if (method != http::verb::get && !is_head_) {
        return Answer(Plain(http::status::method_not_allowed, "only GET and HEAD are answered\n"));
      }
      if (path == "/livez") return Answer(Plain(http::status::ok, "live\n"));
      if (path == "/readyz") {
        return Answer(listener_.pages_.ready() ? Plain(http::status::ok, "ready\n")
                                               : Plain(http::status::service_unavailable, "not ready\n"));
      }
      asio::post(listener_.writing_metrics_, [self = shared_from_this()]() mutable {
        Response response = self->listener_.Metrics();
        asio::io_context& io = self->listener_.io_;
        asio::post(io, [self = std::move(self), response = std::move(response)]() mutable {
          self->Answer(std::move(response));
        });
      });
    }

    void Answer(Response response) {
      response_ = std::move(response);
      if (is_head_) response_.body().clear();  // its length stays in the header
      stream_.expires_after(listener_.limits_.idle);
      http::async_write(stream_, response_, [self = shared_from_this()](error_code error, size_t) {
        error_code ignored;
        self->stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        self->stream_.expires_after(kLinger);
        if (!error) self->Linger();
      });
    }

    // Until the client has closed its side.
    void Linger() {
      buffer_.clear();
      stream_.async_read_some(buffer_.prepare(kMaxHeaderBytes), [self = shared_from_this()](error_code error, size_t) {
        if (!error) self->Linger();
      });
    }

    Listener& listener_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    http::request_parser<http::empty_body> parser_;
    Response response_;
    bool is_head_ = false;
    std::optional<std::list<Connection*>::iterator> place_;
  };

  void Accept(Acceptor& acceptor) {
    acceptor.socket.async_accept([this, &acceptor](error_code error, asio::ip::tcp::socket socket) {
      if (!error) {
        if (connections_.size() >= static_cast<size_t>(limits_.connections)) connections_.front()->Close();
        std::make_shared<Connection>(*this, std::move(socket))->Read();
        return Accept(acceptor);
      }
      if (!connections_.empty()) connections_.front()->Close();  // perhaps there is no descriptor left
      acceptor.again.expires_after(kAcceptAgain);
      acceptor.again.async_wait([this, &acceptor](error_code stopped) {
        if (!stopped) Accept(acceptor);
      });
    });
  }

  // On the thread of writing_metrics_.
  Response Metrics() {
    try {
      return MakeResponse(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", pages_.metrics());
    } catch (const std::exception&) {  // no memory
      return Plain(http::status::internal_server_error, "the metrics cannot be written\n");
    }
  }

  const Pages pages_;
  const ExposerLimits limits_;
  std::list<Connection*> connections_;  // in the order of their coming
  asio::io_context io_{1};              // owns the connections
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  asio::thread_pool writing_metrics_{1};
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<Exposer>> Exposer::Start(const std::string& address, Pages pages, ExposerLimits limits) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(address);
  if (!sockets.ok()) {
    return absl::Status(sockets.status().code(), absl::StrCat("cannot serve HTTP: ", sockets.status().message()));
  }
  const int port = sockets->port();
  return std::unique_ptr<Exposer>(
      new Exposer(std::make_unique<Listener>(sockets->Release(), std::move(pages), limits), port));
}

Exposer::Exposer(std::unique_ptr<Listener> listener, int port) : listener_(std::move(listener)), port_(port) {}

Exposer::~Exposer() = default;

}  // namespace anybit::metrics
