// The HTTP side of the server: /metrics, /livez and /readyz, for Prometheus and for probes. Nothing else is answered.
//
// It knows neither metrics nor readiness: both are asked for at each request. It serves before a model is loaded, so
// that a slow start looks alive and not ready, rather than dead.
#ifndef ANYBIT_METRICS_EXPOSER_H_
#define ANYBIT_METRICS_EXPOSER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

struct mg_context;
struct mg_connection;

namespace anybit {

class Exposer {
 public:
  // Called on HTTP threads, several at once.
  struct Pages {
    std::function<std::string()> metrics;   // Prometheus' text format
    std::function<bool()> ready;
  };

  // Listens on `address`, "host:port" with a numeric host; port 0 picks a free one. InvalidArgument for an address of
  // another form, Unavailable if it cannot be bound.
  static absl::StatusOr<std::unique_ptr<Exposer>> Start(const std::string& address, Pages pages);

  // Takes up to two seconds: the library's threads look that often whether they should stop.
  ~Exposer();
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;

  // The port bound.
  int port() const { return port_; }

 private:
  explicit Exposer(Pages pages) : pages_(std::move(pages)) {}

  static int ServeMetrics(mg_connection* connection, void* exposer);
  static int ServeLive(mg_connection* connection, void* exposer);
  static int ServeReady(mg_connection* connection, void* exposer);

  const Pages pages_;
  int port_ = 0;
  mg_context* context_ = nullptr;   // owns the threads; stopped first
};

}  // namespace anybit

#endif  // ANYBIT_METRICS_EXPOSER_H_
