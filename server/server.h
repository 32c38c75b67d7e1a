// A server's life: probes answer first, then a network is served, and both end in order.
//
// Its steps: Listen (alive, not ready), Serve (ready), StopBeingReady, Drain, Stop. Each step is separate because the
// waits between them belong to whoever got the signal.
//
//   auto server = Server::Listen(options, ComposeServing);
//   absl::Status status = (*server)->Serve(std::move(network));
#ifndef ANYBIT_SERVER_SERVER_H_
#define ANYBIT_SERVER_SERVER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "model/engine/adaptive_network.h"
#include "server/http/http_server.h"
#include "server/options.h"
#include "server/page/live_page.h"
#include "server/probe_server.h"
#include "server/security/security.h"
#include "server/serving.h"

namespace anybit::server {

class Server {
 public:
  // Serves HTTP, unless the options have no address for it. The artifact is not read. Where an address, of HTTP or of
  // gRPC, cannot be listened on: the errors of base/listening_sockets.h. Where a file of TLS or tokens is wrong: those
  // of Security::Load.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(ServerOptions options, MakeServing make_serving);

  // Stops at once, if nobody did before.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves `network` by gRPC; ready when it returns OK, otherwise the errors of MakeServing. At most once.
  absl::Status Serve(std::unique_ptr<model::AdaptiveNetwork> network);

  // Tells probes to send no more, and serves on. After Serve.
  void StopBeingReady();

  // Stops being ready, then as Serving::Drain. After Serve; at most once.
  void Drain(absl::AnyInvocable<void()> drained);

  // Ends calls that are still open after `grace`, then everything else. Blocks until all threads have ended.
  void Stop(Duration grace);

  // What /metrics shows; "" before Serve.
  std::string MetricsText() const;

  // Reads the files of TLS and tokens again. False if something stays as it was, because its files are wrong.
  bool Reload() { return security_->Reload(); }

  int http_port() const;  // 0: no HTTP, or on Unix sockets only
  // Of each address, 0 for a Unix socket.
  std::vector<int> http_ports() const;
  std::vector<int> health_ports() const;
  // After Serve.
  const ServingFacts& facts() const { return serving_->facts(); }
  int grpc_port() const { return facts().grpc_port; }

 private:
  Server(ServerOptions options, MakeServing make_serving);

  absl::Status LoadSecurity();
  absl::Status StartHttp();
  bool IsReady() const;
  HttpAction RouteHttp(const HttpHead& head) const;
  HttpAction RouteKnown(const HttpHead& head, const Caller& caller) const;

  const ServerOptions options_;
  const MakeServing make_serving_;
  const LivePage page_{options_.page};
  std::atomic<bool> ready_ = false;  // whoever starts and stops; HTTP threads
  std::unique_ptr<Security> security_;
  std::unique_ptr<Serving> serving_;
  std::atomic<Serving*> shown_ = nullptr;  // serving_ once it serves; HTTP threads
  // Join threads that look at all of the above.
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<ProbeServer> probes_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVER_H_
