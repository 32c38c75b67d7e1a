// The command line of anybit-client as values.
#ifndef ANYBIT_CLIENT_CLIENT_COMMAND_OPTIONS_H_
#define ANYBIT_CLIENT_CLIENT_COMMAND_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/inference_client.h"

namespace anybit::client {

struct ClientCommandOptions {
  std::string server = "127.0.0.1:8001";
  std::string model;
  bool json = false;
  std::optional<int64_t> index;
  std::optional<int64_t> first;
  std::string labels;
  int64_t in_flight = 64;
  InferOptions infer;
  std::string verb;  // status or classify
  std::vector<std::string> files;
  std::string answer;  // the text of --help: to be printed in place of anything else
};

// InvalidArgument, naming the flag and the value, for what is not acceptable.
absl::StatusOr<ClientCommandOptions> ParseClientCommandOptions(std::span<const std::string> arguments);

// The forms of the command line, for an error message.
std::string ClientUsage();

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_CLIENT_COMMAND_OPTIONS_H_
