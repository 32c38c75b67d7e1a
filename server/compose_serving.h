// The program's parts put together: the only file besides main that names concrete classes together.
//
// Which event loop, scheduler, runner, metrics and gRPC server there are, in what order they begin and end, and which
// option each one gets. Programs link it, and tests that want the whole server; no part of the server uses it.
#ifndef ANYBIT_SERVER_COMPOSE_SERVING_H_
#define ANYBIT_SERVER_COMPOSE_SERVING_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/adaptive_network.h"
#include "server/model_repository.h"
#include "server/options.h"
#include "server/serving.h"

namespace anybit::server {

// A MakeServing: measures or loads kernel choices and latencies, then serves `network` by gRPC. `options` are valid.
absl::StatusOr<std::unique_ptr<Serving>> ComposeServing(const ServerOptions& options, const Security& security,
                                                        std::unique_ptr<model::AdaptiveNetwork> network);

// Likewise one that reads further artifacts by `load` when a client asks for it; ComposeServing's never does.
MakeServing ComposeServingThatLoads(LoadNetworkFrom load);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_COMPOSE_SERVING_H_
