// Where a server's latencies and kernel choices come from: a file, if it fits, or a measurement.
//
// A file that is only read (--profile) is what the operator insists on: a missing, damaged or foreign one is an error.
// One that is read and saved (--profile and --save_profile name the same) is a cache: whatever is wrong with it, it is
// measured anew and replaced. Either is measured anew where the machine or the server's threads differ.
#ifndef ANYBIT_SERVER_PROFILE_FINDER_H_
#define ANYBIT_SERVER_PROFILE_FINDER_H_

#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "scheduler/loop/event_loop.h"
#include "server/options.h"
#include "server/profile_file.h"

namespace anybit::server {

struct FoundProfile {
  MeasuredProfile profile;  // points in the network's order, accuracies from the network; up to max_batch rows
  std::string note;         // for people: why it was measured anew, or that it could not be checked; often empty
};

// Waits for so long.
using Pause = std::function<void(Duration)>;

// Reads or measures, on the calling thread, and saves where the options say so. NotFound or InvalidArgument for a
// profile that cannot be used; before anything is measured, Unavailable if it could not be saved. Without `pause`,
// latencies at rest are not measured. Cancelled, and nothing is saved, if `stop` is requested before it has measured.
absl::StatusOr<FoundProfile> FindProfile(model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
                                         const ServerOptions& options, const Pause& pause = nullptr,
                                         const std::stop_token& stop = {});

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_PROFILE_FINDER_H_
