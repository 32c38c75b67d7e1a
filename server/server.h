// The whole server, put together: network, profile, scheduler and its loop, runner, metrics, HTTP and gRPC.
//
// Its life: Listen (alive, not ready), Serve (ready), StopBeingReady, Drain, Stop. Each step is separate because the
// waits between them belong to whoever got the signal. Main adds flags, files and signals; tests add a small network.
#ifndef ANYBIT_SERVER_SERVER_H_
#define ANYBIT_SERVER_SERVER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "metrics/exposer.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/event_loop.h"
#include "scheduler/latency/profile.h"
#include "server/options.h"

namespace anybit::server {

class Server {
 public:
  // Serves HTTP, unless the options have no address for it. The artifact is not read. Where an address, of HTTP or of
  // gRPC, cannot be listened on: the errors of base/listening_sockets.h.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(ServerOptions options);

  // Stops at once, if nobody did before.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Measures or loads kernel choices and latencies, then serves `network` by gRPC; ready when it returns OK. At most
  // once; takes up to six seconds. InvalidArgument for options or a profile that do not fit the network or a profile of
  // another one, Unavailable if the profile cannot be saved or the port is taken.
  absl::Status Serve(std::unique_ptr<model::AdaptiveNetwork> network);

  // Tells probes to send no more, and serves on. After Serve.
  void StopBeingReady();

  // Tells clients by GOAWAY to send new calls elsewhere and takes no connections any more. Calls that gRPC has taken
  // are answered; `drained` runs, on some thread, once none waits or runs. After Serve; at most once.
  void Drain(absl::AnyInvocable<void()> drained);

  // Ends calls that are still open after `grace`, then everything else. Blocks until all threads have ended.
  void Stop(Duration grace);

  // What /metrics shows; "" before Serve.
  std::string MetricsText() const;

  int http_port() const;                          // 0: no HTTP
  int grpc_port() const;                          // after Serve
  const scheduler::Profile& profile() const;      // after Serve
  const model::AdaptiveNetwork& network() const;  // after Serve
  const std::string& isa() const;           // after Serve: of the network's kernels; "": there is no choice of them
  const std::string& profile_note() const;  // after Serve: where the profile came from, if that is worth a line
  int64_t request_limit_bytes() const;      // after Serve: that requests may hold
  absl::Status pinning() const;  // after Serve: why a slot does not have processors of its own, though it should

 private:
  struct Serving;  // what exists between Serve and Stop

  explicit Server(ServerOptions options);

  const ServerOptions options_;
  std::atomic<bool> ready_ = false;  // whoever starts and stops; HTTP threads
  std::unique_ptr<Serving> serving_;
  std::atomic<Serving*> shown_ = nullptr;      // serving_ once it has metrics; HTTP threads
  std::unique_ptr<metrics::Exposer> exposer_;  // joins HTTP threads, which look at all of the above
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVER_H_
