#include "server/http/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/listening_sockets.h"
#include "server/http/http_stream.h"
#include "server/http/tls_contexts.h"

namespace anybit::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Response = http::response<http::string_body>;

// After an answer that leaves a part of the request unread: a connection closed before that loses the answer.
constexpr auto kLinger = std::chrono::seconds(1);
// Where the process has no descriptor left, accepting at once would only fail again.
constexpr auto kAcceptAgain = std::chrono::milliseconds(20);
constexpr int kBackgroundThreads = 2;

absl::string_view View(beast::string_view text) { return absl::string_view(text.data(), text.size()); }

HttpAnswer Plain(http::status code, absl::string_view body) {
  return {.status = static_cast<int>(code), .body = std::string(body)};
}

HttpHead HeadOf(const http::request_parser<http::string_body>& parser) {
  const auto& request = parser.get();
  const absl::string_view target = View(request.target());
  HttpHead head{.method = std::string(View(request.method_string())),
                .path = std::string(target.substr(0, target.find('?')))};
  for (const auto& field : request) {
    head.fields.emplace_back(std::string(View(field.name_string())), std::string(View(field.value())));
  }
  if (const auto length = parser.content_length(); length.has_value()) head.body_bytes = *length;
  head.has_body = parser.chunked() || head.body_bytes.value_or(0) > 0;
  return head;
}

}  // namespace

absl::string_view HttpHead::Field(absl::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (absl::EqualsIgnoreCase(field, name)) return value;
  }
  return "";
}

// Connections run on thread_ only. Members stand in the order of their making.
class HttpServer::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(Router router, HttpLimits limits, HttpTransport transport)
      : router_(std::move(router)),
        limits_(limits),
        take_http2_(std::move(transport.take_http2)),
        tls_(std::move(transport.tls), transport.least_tls, "http/1.1") {}

  void Serve(std::vector<ListeningSockets::Socket> sockets) {
    for (ListeningSockets::Socket& socket : sockets) {
      acceptors_.push_back(std::make_unique<Acceptor>(io_));
      const int protocol = socket.family == AF_UNIX ? 0 : IPPROTO_TCP;
      acceptors_.back()->socket.assign({socket.family, protocol}, socket.descriptor);
      acceptors_.back()->file = std::move(socket.file);
    }
    thread_ = std::thread([this] { Run(); });
  }

  // Once, before the server lets go: a call that is about to answer may own this a little longer.
  void Stop();

  void StopKeepingAlive() { keeps_alive_ = false; }

  void Finish(Duration grace) {
    absl::MutexLock lock(&mutex_);
    (void)mutex_.AwaitWithTimeout(absl::Condition(
                                      +[](int* open) { return *open == 0; }, &open_),
                                  absl::FromChrono(grace));
  }

 private:
  struct Acceptor {
    explicit Acceptor(asio::io_context& io) : socket(io), again(io) {}
    asio::basic_socket_acceptor<HttpStream::Protocol> socket;
    std::shared_ptr<const UnixSocketFile> file;
    asio::steady_timer again;
    std::weak_ptr<void> waiting;  // held by what waits for a connection, or to accept again
  };

  class Connection;
  class Call;

  void Run();
  void Poll();
  void Accept(Acceptor& acceptor);
  void MakeRoom();
  void CountOpen(int change) {
    absl::MutexLock lock(&mutex_);
    open_ += change;
  }

  const Router router_;
  const HttpLimits limits_;
  const std::function<void(int)> take_http2_;
  TlsContexts tls_;                       // thread_
  std::atomic<bool> keeps_alive_ = true;  // whoever stops; thread_
  absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;  // requests between their header and the end of their answer
  std::list<Connection*> connections_;    // in the order of their coming
  bool is_stopped_ = false;               // thread_ has ended
  asio::io_context io_{1};                // owns the connections
  // Without work, a loop would end where no memory is left to accept.
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  asio::thread_pool background_{kBackgroundThreads};
  std::thread thread_;
};

// One client. It lives as long as an operation of it is under way or it waits for an answer.
class HttpServer::Listener::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Listener& listener, HttpStream::Protocol::socket socket)
      : listener_(listener),
        stream_(std::move(socket), listener.tls_.Context()),
        place_(listener.connections_.insert(listener.connections_.end(), this)) {}
  ~Connection() { Leave(); }

  void ReadFirst() {
    if (listener_.tls_.is_on()) return Handshake();
    if (listener_.take_http2_ != nullptr) return Peek();
    Read(listener_.limits_.idle);
  }

  bool is_at_work() const { return is_at_work_; }

  // What is under way ends with an error.
  void Close() {
    const std::shared_ptr<Connection> held = std::move(waiting_);
    Leave();
    is_gone_ = true;
    if (gone_) std::exchange(gone_, nullptr)();
    is_answered_ = true;
    stream_.close();
  }

  // The answer of call number `call`.
  void Answer(uint64_t call, HttpAnswer answer) {
    if (call != calls_ || is_answered_) return;
    Guarded([&] { Write(std::move(answer), true); });
  }

  void WhenGone(uint64_t call, absl::AnyInvocable<void()> gone) {
    if (call != calls_) return;
    if (is_gone_) return gone();
    if (!is_answered_) gone_ = std::move(gone);
  }

 private:
  // Runs `work`. Where memory ends in it, so does the connection: an operation that was not begun ends nothing.
  template <typename Work>
  void Guarded(const Work& work) {
    try {
      work();
    } catch (const std::bad_alloc&) {
      Close();
    }
  }

  void Leave() {
    if (place_.has_value()) listener_.connections_.erase(*place_);
    place_.reset();
    End();
  }

  // The request is no longer counted as open.
  void End() {
    if (std::exchange(is_at_work_, false)) listener_.CountOpen(-1);
  }

  void Handshake() {
    if (!stream_.has_tls()) return;  // the identity in force is one that OpenSSL refuses: the connection ends
    stream_.expires_after(listener_.limits_.idle);
    stream_.Handshake([self = this->shared_from_this()](error_code error) {
      if (error) return;
      self->Guarded([&] {
        self->client_name_ = self->stream_.client_name();
        self->Read(self->listener_.limits_.idle);
      });
    });
  }

  // Looks which protocol the client speaks, and reads nothing.
  void Peek() {
    peek_timer_.emplace(stream_.get_executor(), listener_.limits_.idle);
    peek_timer_->async_wait([weak = weak_from_this()](error_code stopped) {
      const std::shared_ptr<Connection> self = weak.lock();
      if (!stopped && self != nullptr) self->Close();
    });
    stream_.socket().async_wait(asio::socket_base::wait_read, [self = this->shared_from_this()](error_code error) {
      self->peek_timer_.reset();
      if (!error) self->Guarded([&] { self->OnPeeked(); });
    });
  }

  void OnPeeked() {
    constexpr absl::string_view kPreface = "PRI ";
    char begin[kPreface.size()];
    const ssize_t size = recv(stream_.socket().native_handle(), begin, sizeof(begin), MSG_PEEK);
    if (size <= 0 || absl::string_view(begin, static_cast<size_t>(size)) != kPreface) {
      return Read(listener_.limits_.idle);
    }
    error_code error;
    const int descriptor = stream_.socket().release(error);
    if (!error) listener_.take_http2_(descriptor);
  }

  void Read(Duration limit) {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(listener_.limits_.header_bytes));
    // The route has one. (Beast 1.74 takes boost::none for 0.)
    parser_->body_limit(std::numeric_limits<uint64_t>::max());
    ++calls_;
    is_answered_ = false;
    stream_.expires_after(limit);
    http::async_read_header(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
      self->Guarded([&] { self->OnHeader(error); });
    });
  }

  void OnHeader(error_code error) {
    if (!place_.has_value()) return;  // closed meanwhile
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Write(Plain(http::status::request_header_fields_too_large,
                         absl::StrCat("the header is larger than ", listener_.limits_.header_bytes, " bytes\n")),
                   false);
    }
    if (error && error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return Write(Plain(http::status::bad_request, "this is not a request of HTTP/1.1\n"), false);
    }
    if (error) return;
    is_at_work_ = true;
    listener_.CountOpen(1);
    head_ = HeadOf(*parser_);
    head_.client_name = client_name_;
    is_head_ = parser_->get().method() == http::verb::head;
    HttpAction action = Route();
    if (auto* answer = std::get_if<HttpAnswer>(&action)) return Write(std::move(*answer), !head_.has_body);
    route_ = std::get<HttpRoute>(std::move(action));
    if (head_.body_bytes.value_or(0) > route_.max_body_bytes) return RefuseBody();
    parser_->body_limit(route_.max_body_bytes);
    ReadBody();
  }

  HttpAction Route() {
    try {
      return listener_.router_(head_);
    } catch (const std::exception&) {  // no memory
      return Plain(http::status::service_unavailable, "the server has no memory left for this request\n");
    }
  }

  void RefuseBody() {
    Write(Plain(http::status::payload_too_large, absl::StrCat("the body is larger than the ", route_.max_body_bytes,
                                                              " bytes that this request may have\n")),
          false);
  }

  void ReadBody() {
    if (!absl::EqualsIgnoreCase(head_.Field("Expect"), "100-continue")) return ReadRest();
    stream_.expires_after(listener_.limits_.idle);
    go_on_ = http::response<http::empty_body>(http::status::continue_, 11);
    http::async_write(stream_, go_on_, [self = this->shared_from_this()](error_code error, size_t) {
      if (!error) self->Guarded([&] { self->ReadRest(); });
    });
  }

  void ReadRest() {
    stream_.expires_after(listener_.limits_.body);
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
      self->Guarded([&] { self->OnBody(error); });
    });
  }

  void OnBody(error_code error);

  // Calls gone_ if the client closes its side meanwhile. A client that sends its next request early stays unwatched.
  // This does not keep the connection: what it waits for may never come.
  void WatchForEnd() {
    stream_.expires_never();
    stream_.socket().async_wait(asio::socket_base::wait_read,
                                [weak = weak_from_this(), call = calls_](error_code error) {
                                  const std::shared_ptr<Connection> self = weak.lock();
                                  if (error || self == nullptr || call != self->calls_ || self->is_answered_) return;
                                  error_code failed;
                                  const bool may_go_on = self->stream_.socket().available(failed) > 0 && !failed;
                                  if (may_go_on && !(self->stream_.has_tls() && self->stream_.IsClosedByPeer())) return;
                                  self->is_gone_ = true;
                                  if (self->gone_) std::exchange(self->gone_, nullptr)();
                                });
  }

  // `is_read`: the request was read to its end, so that another may follow it.
  void Write(HttpAnswer answer, bool is_read) {
    const std::shared_ptr<Connection> held = std::move(waiting_);
    is_answered_ = true;
    gone_ = nullptr;
    const bool keep = is_read && !is_gone_ && parser_->get().keep_alive() && listener_.keeps_alive_;
    response_ = Response(static_cast<http::status>(answer.status), is_read ? parser_->get().version() : 11);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : answer.fields) response_.set(name, value);
    response_.keep_alive(keep);
    response_.content_length(answer.body.size());
    if (!is_head_) response_.body() = std::move(answer.body);  // its length stays in the header
    stream_.expires_after(listener_.limits_.idle);
    http::async_write(stream_, response_, [self = this->shared_from_this(), keep](error_code error, size_t) {
      self->Guarded([&] { self->OnWritten(error, keep); });
    });
  }

  void OnWritten(error_code error, bool keep) {
    End();
    response_ = Response();
    if (error) return;
    if (keep) return Read(listener_.limits_.keep_alive);
    stream_.expires_after(kLinger);
    stream_.ShutDown([self = this->shared_from_this()](error_code) {
      self->Guarded([&] {
        self->stream_.expires_after(kLinger);
        self->Linger();
      });
    });
  }

  // Until the client has closed its side.
  void Linger() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(8192), [self = this->shared_from_this()](error_code error, size_t) {
      if (!error) self->Linger();
    });
  }

  Listener& listener_;
  HttpStream stream_;
  std::optional<asio::steady_timer> peek_timer_;
  std::string client_name_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;  // of the request at hand
  HttpHead head_;
  HttpRoute route_;
  http::response<http::empty_body> go_on_;
  Response response_;
  std::shared_ptr<Connection> waiting_;  // this, while a call is to be answered
  uint64_t calls_ = 0;                   // the number of the request at hand
  bool is_head_ = false;
  bool is_at_work_ = false;   // counted as open
  bool is_answered_ = false;  // the request at hand
  bool is_gone_ = false;
  absl::AnyInvocable<void()> gone_;
  std::optional<std::list<Connection*>::iterator> place_;
};

// What a handler holds of a request. It does not keep the server alive.
class HttpServer::Listener::Call final : public HttpCall, public std::enable_shared_from_this<Call> {
 public:
  Call(std::weak_ptr<Listener> listener, std::weak_ptr<Connection> connection, uint64_t number, HttpHead head,
       std::string body)
      : listener_(std::move(listener)),
        connection_(std::move(connection)),
        number_(number),
        head_(std::move(head)),
        body_(std::move(body)) {}

  const HttpHead& head() const override { return head_; }
  std::string& body() override { return body_; }

  void Answer(HttpAnswer answer) override {
    OnServersThread([number = number_, answer = std::move(answer)](Connection* connection) mutable {
      if (connection != nullptr) connection->Answer(number, std::move(answer));
    });
  }

  void WhenGone(absl::AnyInvocable<void()> gone) override {
    OnServersThread([number = number_, gone = std::move(gone)](Connection* connection) mutable {
      if (connection == nullptr) return gone();
      connection->WhenGone(number, std::move(gone));
    });
  }

  void InBackground(absl::AnyInvocable<void()> work) override {
    const std::shared_ptr<Listener> listener = listener_.lock();
    if (listener == nullptr) return;
    asio::post(listener->background_,
               [self = shared_from_this(), work = std::move(work)]() mutable { self->Guarded(work); });
  }

  // Answers itself if there is no memory for `work`.
  template <typename Work>
  void Guarded(Work& work) {
    try {
      work();
    } catch (const std::exception&) {
      Answer(Plain(http::status::service_unavailable, "the server has no memory left for this request\n"));
    }
  }

 private:
  // `work` is given the connection, null once it has ended. After the server's end nothing runs.
  template <typename Work>
  void OnServersThread(Work work) {
    const std::shared_ptr<Listener> listener = listener_.lock();
    if (listener == nullptr) return;
    asio::post(listener->io_,
               [connection = connection_, work = std::move(work)]() mutable { work(connection.lock().get()); });
  }

  const std::weak_ptr<Listener> listener_;
  const std::weak_ptr<Connection> connection_;
  const uint64_t number_;
  const HttpHead head_;
  std::string body_;
};

void HttpServer::Listener::Connection::OnBody(error_code error) {
  if (!place_.has_value()) return;  // closed meanwhile
  if (error == http::error::body_limit) return RefuseBody();
  if (error == beast::error::timeout || error == asio::error::operation_aborted) return;
  if (error) return Write(Plain(http::status::bad_request, "the body is not one of HTTP/1.1\n"), false);
  WatchForEnd();
  auto call = std::make_shared<Call>(listener_.weak_from_this(), weak_from_this(), calls_, std::move(head_),
                                     std::move(parser_->get().body()));
  waiting_ = shared_from_this();
  if (!route_.in_background) return std::exchange(route_.handle, nullptr)(std::move(call));
  asio::post(listener_.background_, [call = std::move(call), handle = std::exchange(route_.handle, nullptr)]() mutable {
    const auto work = [&] { handle(call); };
    call->Guarded(work);
  });
}

void HttpServer::Listener::Stop() {
  background_.join();
  io_.stop();
  thread_.join();
  is_stopped_ = true;
  while (!connections_.empty()) connections_.front()->Close();
  io_.restart();
  Poll();
}

// Runs what was handed to the server's thread and found it stopped: handlers that ask to learn of this end.
void HttpServer::Listener::Poll() {
  while (true) {
    try {
      io_.poll();
      return;
    } catch (const std::bad_alloc&) {  // one handler fewer
    }
  }
}

// Where memory ends in a handler, its connection ends; the others go on. It may end before the handler of an acceptor
// has begun, and nothing waits for connections then.
void HttpServer::Listener::Run() {
  while (!io_.stopped()) {
    try {
      for (const auto& acceptor : acceptors_) {
        if (acceptor->waiting.expired()) Accept(*acceptor);
      }
      io_.run();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(kAcceptAgain);
    }
  }
}

void HttpServer::Listener::Accept(Acceptor& acceptor) {
  auto waiting = std::make_shared<char>();
  acceptor.waiting = waiting;
  acceptor.socket.async_accept(
      [this, &acceptor, waiting = std::move(waiting)](error_code error, HttpStream::Protocol::socket socket) mutable {
        if (is_stopped_) return;
        if (!error) {
          if (connections_.size() >= static_cast<size_t>(limits_.connections)) MakeRoom();
          std::make_shared<Connection>(*this, std::move(socket))->ReadFirst();
          return Accept(acceptor);
        }
        MakeRoom();  // perhaps there is no descriptor left
        acceptor.again.expires_after(kAcceptAgain);
        acceptor.again.async_wait([this, &acceptor, waiting = std::move(waiting)](error_code stopped) {
          if (!stopped) Accept(acceptor);
        });
      });
}

void HttpServer::Listener::MakeRoom() {
  if (connections_.empty()) return;
  const auto idle = std::find_if_not(connections_.begin(), connections_.end(),
                                     [](const Connection* connection) { return connection->is_at_work(); });
  (idle == connections_.end() ? connections_.front() : *idle)->Close();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& addresses, Router router,
                                                              HttpLimits limits, HttpTransport transport) {
  absl::StatusOr<ListeningSockets> sockets = ListeningSockets::Open(addresses, transport.unix_mode);
  if (!sockets.ok()) {
    return absl::Status(sockets.status().code(), absl::StrCat("cannot serve HTTP: ", sockets.status().message()));
  }
  auto listener = std::make_shared<Listener>(std::move(router), limits, std::move(transport));
  listener->Serve(sockets->Release());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(listener), sockets->ports()));
}

HttpServer::HttpServer(std::shared_ptr<Listener> listener, std::vector<int> ports)
    : listener_(std::move(listener)), ports_(std::move(ports)) {}

int HttpServer::port() const {
  const auto port = std::find_if(ports_.begin(), ports_.end(), [](int one) { return one != 0; });
  return port == ports_.end() ? 0 : *port;
}

HttpServer::~HttpServer() { listener_->Stop(); }

void HttpServer::StopKeepingAlive() { listener_->StopKeepingAlive(); }

void HttpServer::Finish(Duration grace) { listener_->Finish(grace); }

}  // namespace anybit::server
