#include "client/client_command.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/classify_command.h"
#include "client/client_command_options.h"
#include "client/inference_client.h"
#include "client/status_command.h"

namespace anybit::client {

int RunClientCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                     std::ostream& err) {
  const absl::StatusOr<ClientCommandOptions> options = ParseClientCommandOptions(arguments);
  if (!options.ok()) {
    err << "anybit-client: " << options.status().message() << "\n" << ClientUsage();
    return 2;
  }
  if (!options->answer.empty()) {
    out << options->answer;
    return 0;
  }
  absl::StatusOr<std::unique_ptr<InferenceClient>> client =
      InferenceClient::Connect(options->server, {.model = options->model});
  absl::Status status = client.status();
  if (status.ok()) {
    status = options->verb == "status" ? ShowStatus(*options, **client, out)
                                       : Classify(*options, **client, interruption, out);
  }
  if (status.ok()) return 0;
  err << "anybit-client: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return interruption.signal() != 0 ? 128 + interruption.signal() : 1;
}

}  // namespace anybit::client
