// A server's life as a process: start, serve, and leave in good order when told by a signal.
//
// SIGTERM: not ready at once, so that load balancers look elsewhere; after the drain delay nothing new is accepted;
// what was accepted is answered within the drain timeout. SIGINT skips the delay. A second signal ends whatever is
// being waited for, a third ends the process. A signal before the server serves ends the process at once, with exit
// code 0. SIGQUIT and SIGXCPU count as SIGTERM. SIGHUP reads certificates and tokens again. Others that would end the
// process are ignored, but for those that cannot be and those of a broken program.
#ifndef ANYBIT_SERVER_SERVE_UNTIL_STOPPED_H_
#define ANYBIT_SERVER_SERVE_UNTIL_STOPPED_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "server/options.h"
#include "server/serving.h"

namespace anybit::server {

// Called once, after HTTP is served.
using LoadNetwork = std::function<absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>>()>;

// Returns the process's exit code: 0 after a signal, 1 if the server cannot start, 2 if the options are wrong; the
// reason is one line on stderr. When it serves, stdout tells where and what, and `example`, the arguments of a client
// call to try. Takes over all signals but those; at most once in a process.
int ServeUntilStopped(const ServerOptions& options, const LoadNetwork& load, const MakeServing& make_serving,
                      const std::string& example);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVE_UNTIL_STOPPED_H_
