// The verb status of anybit-client: the state of the server, and the properties that its model advertises.
#ifndef ANYBIT_CLIENT_STATUS_COMMAND_H_
#define ANYBIT_CLIENT_STATUS_COMMAND_H_

#include <ostream>

#include "absl/status/status.h"
#include "client/client_command_options.h"
#include "client/inference_client.h"

namespace anybit::client {

absl::Status ShowStatus(const ClientCommandOptions& options, InferenceClient& client, std::ostream& out);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_STATUS_COMMAND_H_
