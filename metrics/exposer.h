// The HTTP side of the server: /metrics, /livez and /readyz, for Prometheus and for probes. Nothing else is answered.
//
// It knows neither metrics nor readiness: both are asked for at each request. It serves before a model is loaded, so
// that a slow start looks alive and not ready, rather than dead. No connection waits for another: all are served by one
// thread that never blocks, and metrics are written by a second one. Each connection is answered once and closed.
#ifndef ANYBIT_METRICS_EXPOSER_H_
#define ANYBIT_METRICS_EXPOSER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/time.h"

namespace anybit::metrics {

struct ExposerLimits {
  // The connection that came first makes room for one more.
  int connections = 256;
  // A request's header must be complete, and its answer be taken, within this time each.
  Duration idle = std::chrono::seconds(5);
};

class Exposer {
 public:
  struct Pages {
    std::function<std::string()> metrics;  // Prometheus' text format; called on one thread, not that of `ready`
    std::function<bool()> ready;           // called on one thread; must not block
  };

  // Listens on `address` (base/listening_sockets.h says which are possible, and the errors); port 0 picks a free one.
  static absl::StatusOr<std::unique_ptr<Exposer>> Start(const std::string& address, Pages pages,
                                                        ExposerLimits limits = {});

  // Closes every connection at once; a page that is being made is finished first.
  ~Exposer();
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;

  // The port bound.
  int port() const { return port_; }

 private:
  class Listener;

  Exposer(std::unique_ptr<Listener> listener, int port);

  const std::unique_ptr<Listener> listener_;
  const int port_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_EXPOSER_H_
