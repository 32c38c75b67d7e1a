// The verb classify of anybit-client: image files in, classes or an accuracy out.
#ifndef ANYBIT_CLIENT_CLASSIFY_COMMAND_H_
#define ANYBIT_CLIENT_CLASSIFY_COMMAND_H_

#include <ostream>

#include "absl/status/status.h"
#include "client/client_command_options.h"
#include "client/inference_client.h"
#include "client/interruption.h"

namespace anybit::client {

// Classifies the files of `options` and prints the answers. Cancelled where it was interrupted: the answers until then
// are printed. The first refusal's code where the server refused an image.
absl::Status Classify(const ClientCommandOptions& options, InferenceClient& client, Interruption& interruption,
                      std::ostream& out);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_CLASSIFY_COMMAND_H_
