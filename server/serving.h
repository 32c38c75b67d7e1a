// The part of a server that answers requests for one network, as the server's life sees it.
//
// Server starts and ends it at the right moments; compose_serving.h makes the one of the program.
#ifndef ANYBIT_SERVER_SERVING_H_
#define ANYBIT_SERVER_SERVING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/latency/profile.h"
#include "server/http/http_server.h"
#include "server/options.h"
#include "server/security/caller.h"
#include "server/security/security.h"

namespace anybit::server {

// What is known of it once it serves.
struct ServingFacts {
  int grpc_port = 0;            // the first one
  std::vector<int> grpc_ports;  // of each address; 0: a Unix socket
  model::NetworkDescription network;
  scheduler::Profile profile;
  std::string profile_note;         // where the profile came from, if that is worth a line
  std::string isa;                  // of the network's kernels; "": there is no choice of them
  int64_t request_limit_bytes = 0;  // that requests may hold
  absl::Status pinning;             // why a slot does not have processors of its own, though it should
};

// One thread, but for CanServe, MetricsText and RouteHttp.
class Serving {
 public:
  virtual ~Serving() = default;  // stops at once, if nobody did before

  virtual const ServingFacts& facts() const = 0;

  // Whether there is a network that can run: it may have been unloaded, or its GPU lost. Without one nothing is ready.
  // Any thread.
  virtual bool CanServe() const = 0;

  // Prometheus' text format. Any thread.
  virtual std::string MetricsText() = 0;

  // What to do with a request of HTTP whose path begins with /v2. Any thread; must not block.
  virtual HttpAction RouteHttp(const HttpHead& head, const Caller& caller) = 0;

  // It starts as not ready and is made ready at most once. Readiness is for probes; calls are answered without it, too.
  virtual void SetReadiness(bool ready) = 0;

  // Tells clients by GOAWAY to send new calls elsewhere, takes no connections of gRPC any more and refuses inference by
  // HTTP. Calls that were taken are answered; `drained` runs, on some thread, once none waits or runs. At most once.
  virtual void Drain(absl::AnyInvocable<void()> drained) = 0;

  // Ends calls that are still open after `grace`. Blocks until all threads have ended.
  virtual void Stop(Duration grace) = 0;
};

// Takes up to six seconds where it measures. InvalidArgument for options or a profile that do not fit the network,
// Unavailable if the profile cannot be saved or the port is taken.
// `Security` outlives it.
using MakeServing = std::function<absl::StatusOr<std::unique_ptr<Serving>>(const ServerOptions&, const Security&,
                                                                           std::unique_ptr<model::AdaptiveNetwork>)>;

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVING_H_
