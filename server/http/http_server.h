// An HTTP/1.1 server: connections, limits and time-outs. A router says what a request is answered with.
//
//   HttpServer::Start("127.0.0.1:8000", [](const HttpHead& head) -> HttpAction {
//     if (head.path == "/livez") return HttpAnswer{.body = "live\n"};
//     if (head.path == "/double") return HttpRoute{.max_body_bytes = 1024, .handle = [](auto call) { ... }};
//     return HttpAnswer{.status = 404};
//   });
//
// No connection waits for another: one thread, which never blocks, serves all of them, and two others run what takes
// longer. A body is read only where the router asks for it, and up to its limit, so a request that is refused costs its
// header. Connections are kept open for further requests (keep-alive), one at a time.
#ifndef ANYBIT_SERVER_HTTP_HTTP_SERVER_H_
#define ANYBIT_SERVER_HTTP_HTTP_SERVER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/listening_sockets.h"
#include "base/time.h"
#include "server/http/tls_identity.h"

namespace anybit::server {

struct HttpHead {
  std::string method;  // "GET"
  std::string path;    // of the target, before '?'; as sent, escapes included
  std::vector<std::pair<std::string, std::string>> fields;
  std::string client_name;  // in the certificate that the client has shown by TLS; "" if none
  bool has_body = false;
  std::optional<uint64_t> body_bytes;  // none: no body, or one in chunks

  // The first field of this name, in any case; "" if there is none.
  absl::string_view Field(absl::string_view name) const;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain";
  std::vector<std::pair<std::string, std::string>> fields = {};  // besides type, length, date and connection
  std::string body = {};
};

// One request whose body was read, and the way to answer it. Any thread.
class HttpCall {
 public:
  virtual ~HttpCall() = default;

  virtual const HttpHead& head() const = 0;
  virtual std::string& body() = 0;  // Thread-compatible

  // Exactly once; what comes after the server's end is dropped.
  virtual void Answer(HttpAnswer answer) = 0;

  // Runs `gone`, once, on the server's thread, should the client close its side or the server end before the answer;
  // at once if that has happened. It must not block. At most once, before Answer.
  virtual void WhenGone(absl::AnyInvocable<void()> gone) = 0;

  // Runs `work` on a thread where it may take its time; after the server's end, never.
  virtual void InBackground(absl::AnyInvocable<void()> work) = 0;
};

struct HttpRoute {
  uint64_t max_body_bytes = 0;
  bool in_background = true;  // else on the server's thread, where nothing may block
  std::function<void(std::shared_ptr<HttpCall>)> handle;
};

// An answer that needs no body, or the way to find one.
using HttpAction = std::variant<HttpAnswer, HttpRoute>;

struct HttpLimits {
  // The idle connection that came first makes room for one more; if all are at work, the first of these.
  int connections = 256;
  int header_bytes = 16 * 1024;
  // For a header to be complete and for an answer to be taken.
  Duration idle = std::chrono::seconds(5);
  // For a body to be complete.
  Duration body = std::chrono::seconds(10);
  // Without a request, on a connection that had one.
  Duration keep_alive = std::chrono::seconds(60);
};

// How bytes come and go.
struct HttpTransport {
  TlsIdentitySource tls = nullptr;  // null: no TLS
  TlsVersion least_tls = TlsVersion::kTls12;
  int unix_mode = kDefaultUnixMode;
  // Given the socket of each connection that begins with HTTP/2's preface, which nobody has read. On the server's
  // thread. Not with TLS; null: such connections are refused.
  std::function<void(int)> take_http2 = nullptr;
};

class HttpServer {
 public:
  // On the server's thread; must not block.
  using Router = std::function<HttpAction(const HttpHead&)>;

  // Listens on `addresses` (base/listening_sockets.h says which are possible, and the errors).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& addresses, Router router,
                                                           HttpLimits limits = {}, HttpTransport transport = {});

  // Closes every connection at once. What runs in the background is finished first.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // From now on each answer is the last of its connection.
  void StopKeepingAlive();

  // Waits until each request that was read is answered and the answer taken, at most for `grace`.
  void Finish(Duration grace);

  // The first port bound; 0 if all are Unix sockets.
  int port() const;
  // Of each address, 0 for a Unix socket.
  const std::vector<int>& ports() const { return ports_; }

 private:
  class Listener;

  HttpServer(std::shared_ptr<Listener> listener, std::vector<int> ports);

  const std::shared_ptr<Listener> listener_;
  const std::vector<int> ports_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_HTTP_HTTP_SERVER_H_
