// The parts that serve one version of a network, put together: its kernels and latencies, the threads of its slots, its
// scheduler and the scheduler's loop, its counts. Used by compose_serving only.
#ifndef ANYBIT_SERVER_COMPOSE_VERSION_H_
#define ANYBIT_SERVER_COMPOSE_VERSION_H_

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "metrics/metrics_page.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/latency/profile.h"
#include "server/options.h"
#include "server/processors.h"
#include "server/served_version.h"
#include "server/slot_turns.h"

namespace anybit::server {

class ComposedVersion : public ServedVersion {
 public:
  // What is known of it besides its model.
  struct Facts {
    scheduler::Profile profile;
    std::string profile_note;  // where the profile came from, if that is worth a line
    std::string isa;           // of the network's kernels; "": there is no choice of them
    absl::Status pinning;      // why a slot does not have processors of its own, though it should
  };
  virtual const Facts& facts() const = 0;
};

// What versions share; all outlive them.
struct VersionSurroundings {
  const ServerOptions& options;
  std::vector<ProcessorSet> processors;  // of each slot; empty: any
  SlotTurns& turns;
  metrics::MetricsPage& page;
  // As ModelRunnerOptions::on_network_lost; any version's device is that of all.
  std::function<void(const absl::Status& why)> on_network_lost;
};

// Takes up to six seconds where it measures. InvalidArgument for options or a profile that do not fit the network,
// Unavailable if the profile cannot be saved. `reloaded`: beside or after another version, so the operator's profile is
// not of this network: it is measured, and not saved. Cancelled if `stop` is requested before it has measured.
absl::StatusOr<std::unique_ptr<ComposedVersion>> ComposeVersion(const VersionSurroundings& surroundings,
                                                                std::unique_ptr<model::AdaptiveNetwork> network,
                                                                bool reloaded, const std::stop_token& stop = {});

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_COMPOSE_VERSION_H_
