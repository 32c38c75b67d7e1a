// Counts the events of the edge in the metrics.
#ifndef ANYBIT_SERVER_EDGE_METRICS_H_
#define ANYBIT_SERVER_EDGE_METRICS_H_

#include <cstddef>

#include "metrics/server_metrics.h"
#include "scheduler/request.h"
#include "server/edge_observer.h"

namespace anybit::server {

class EdgeMetrics final : public EdgeObserver {
 public:
  // `metrics`, which outlives it, has kRefusedCallReasonNames among its labels.
  explicit EdgeMetrics(metrics::ServerMetrics& metrics) : metrics_(metrics) {}

  void OnInvalid(const absl::Status& reason) override { metrics_.CountInvalidRequest(); }
  void OnUnavailable() override { metrics_.CountRequest(scheduler::OutcomeKind::kUnavailable); }
  void OnShed(scheduler::ShedReason reason) override { metrics_.CountShed(reason); }
  void OnExpired() override { metrics_.CountRequest(scheduler::OutcomeKind::kExpired); }
  void OnRefusedCall(RefusedCallReason reason) override { metrics_.CountRefusedCall(static_cast<size_t>(reason)); }

 private:
  metrics::ServerMetrics& metrics_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_EDGE_METRICS_H_
