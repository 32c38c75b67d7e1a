// The command line of anybit-load as values.
#ifndef ANYBIT_CLIENT_LOAD_OPTIONS_H_
#define ANYBIT_CLIENT_LOAD_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/arrivals/arrival_times.h"
#include "client/inference_client.h"

namespace anybit::client {

struct LoadOptions {
  std::string server = "127.0.0.1:8001";
  std::string model;
  std::string images;
  std::string labels;
  std::string steps;  // empty: the recorded rate of a replay
  double step_seconds = 10;
  std::optional<double> capacity;  // unset: to be measured
  std::string capacity_point;
  std::string workload = "poisson";
  std::string arrival_times;  // file to replay in place of the workload; empty: none
  std::string azure;          // files to replay in place of the workload, joined by commas; empty: none
  AzureOptions azure_part;
  std::optional<std::chrono::nanoseconds> time_unit;  // of the workload's own time scales
  int64_t seed = 1;
  InferOptions request;
  std::string mix;  // of kinds of requests, for ParseMix; empty: all are `request`
  int connections = 1;
  int threads = 1;
  bool feedback = true;  // where there are labels
  bool json = false;
  bool progress = true;  // on a terminal
  // Files to write; empty: none.
  std::string csv;
  std::string html;
  std::string percentiles;
  std::string answer;  // the text of --help: to be printed in place of a load

  bool replays() const { return !arrival_times.empty() || !azure.empty(); }
};

// InvalidArgument, naming the flag and the value, for what is not acceptable.
absl::StatusOr<LoadOptions> ParseLoadOptions(std::span<const std::string> arguments);

// The form of the command line, for an error message.
std::string LoadUsage();

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_OPTIONS_H_
