// http2-load: sends gRPC calls at a few microseconds each, so that a load of many times a server's capacity fits on one
// processor. anybit-load tells more of each call, and costs tens of microseconds for it.
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/command_line.h"
#include "base/flag_types.h"
#include "base/json_line.h"
#include "client/inference_client.h"
#include "client/load_plan.h"
#include "proto/inference.pb.h"
#include "tests/load/http2_calls.h"
#include "tests/load/http2_connection.h"

using ConnectionsFlag = anybit::WholeNumber<1, 64>;
using SecondsFlag = anybit::RealNumber<std::milli, std::ratio<3600>>;
using SeedFlag = anybit::WholeNumber<0, std::numeric_limits<int64_t>::max()>;
using MillisecondsFlag = anybit::RealNumber<std::ratio<0>, std::ratio<60'000>>;
using MicrosecondsFlag = anybit::WholeNumber<1, 60'000'000>;
using CallersFlag = anybit::WholeNumber<1, 100'000>;

ABSL_FLAG(std::string, server, "127.0.0.1:8001", "HOST:PORT of the server");
ABSL_FLAG(std::string, model, "", "name of a model; by default the server's first ready one");
ABSL_FLAG(ConnectionsFlag, connections, 4, "connections to the server");
ABSL_FLAG(SecondsFlag, seconds, 3, "of each rate, or of the closed loop");
ABSL_FLAG(bool, json, false, "one JSON object a line in place of a table");
ABSL_FLAG(
    std::string, rates, "",
    "R,...: calls/s, one after the other, with Poisson arrivals, sent whatever the server does; latency counts from "
    "the instant at which the call was to be sent");
ABSL_FLAG(SeedFlag, seed, 1, "of the arrivals");
ABSL_FLAG(MillisecondsFlag, deadline_ms, 50, "gRPC deadline; 0: none");
ABSL_FLAG(std::optional<MicrosecondsFlag>, slo_us, std::nullopt,
          "no gRPC deadline, but this as the request's parameter `timeout`; nothing is cancelled");
ABSL_FLAG(std::optional<CallersFlag>, closed, std::nullopt,
          "in place of --rates, this many calls under way all the time, without deadlines");
ABSL_FLAG(std::string, operating_point, "", "the operating point to run, such as w4a4f");
ABSL_FLAG(bool, echo, false, "ServerLive with an empty message, in place of ModelInfer");

namespace anybit::load {
namespace {

ProgramDescription Program() {
  return {.usage = "http2-load (--rates=R,... | --closed=CALLERS) [FLAG...]",
          .about = "Sends gRPC calls over plain HTTP/2, and reports how each rate was served.",
          .sections = {{.title = "", .flags = {"server", "model", "connections", "seconds", "json"}},
                       {.title = "the load", .flags = {"rates", "seed", "deadline_ms", "slo_us", "closed"}},
                       {.title = "each call", .flags = {"operating_point", "echo"}}},
          .footer = "exit status: 0 the load ran, 1 the server refused, 2 wrong usage"};
}

// Calls are sent within this time of their instants, or this program was the bottleneck.
constexpr std::chrono::milliseconds kMaxLag(2);

struct Command {
  std::string server = "127.0.0.1:8001";
  std::string model;
  int64_t connections = 4;
  double seconds = 3;
  std::string rates;
  int64_t seed = 1;
  double deadline_ms = 50;
  std::optional<int64_t> slo_us;
  std::optional<int64_t> closed;
  std::string operating_point;
  bool echo = false;
  bool json = false;
  std::string answer;  // the text of --help: to be printed in place of a load

  std::chrono::nanoseconds duration() const { return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9)); }
};

absl::StatusOr<Command> ParseCommand(std::span<const std::string> arguments) {
  const absl::StatusOr<CommandLine> line = ParseCommandLine(Program(), arguments);
  if (!line.ok()) return line.status();
  if (!line->answer.empty()) return Command{.answer = line->answer};
  if (absl::Status status = ExpectNoWords(*line); !status.ok()) return status;
  const Command command{.server = absl::GetFlag(FLAGS_server),
                        .model = absl::GetFlag(FLAGS_model),
                        .connections = absl::GetFlag(FLAGS_connections),
                        .seconds = absl::GetFlag(FLAGS_seconds),
                        .rates = absl::GetFlag(FLAGS_rates),
                        .seed = absl::GetFlag(FLAGS_seed),
                        .deadline_ms = absl::GetFlag(FLAGS_deadline_ms),
                        .slo_us = absl::GetFlag(FLAGS_slo_us),
                        .closed = absl::GetFlag(FLAGS_closed),
                        .operating_point = absl::GetFlag(FLAGS_operating_point),
                        .echo = absl::GetFlag(FLAGS_echo),
                        .json = absl::GetFlag(FLAGS_json)};
  if (command.rates.empty() == !command.closed.has_value()) {
    return absl::InvalidArgumentError("either --rates or --closed is needed, and not both");
  }
  if (client::NeedsCapacity(command.rates)) return absl::InvalidArgumentError("--rates takes calls/s, not multiples");
  return command;
}

absl::StatusOr<GrpcMethod> MethodOf(const Command& command) {
  if (command.echo) return GrpcMethod{.path = "/inference.GRPCInferenceService/ServerLive", .message = ""};
  absl::StatusOr<std::unique_ptr<client::InferenceClient>> client =
      client::InferenceClient::Connect(command.server, {.model = command.model});
  if (!client.ok()) return client.status();
  const client::ModelDescription& model = (*client)->model();
  inference::ModelInferRequest request;
  request.set_model_name(model.name);
  inference::ModelInferRequest::InferInputTensor& input = *request.add_inputs();
  input.set_name(model.input_name);
  input.set_datatype("UINT8");
  input.add_shape(1);
  for (const int64_t extent : model.row_shape) input.add_shape(extent);
  std::string& row = *request.add_raw_input_contents();
  for (int64_t i = 0; i < model.row_bytes; ++i) row.push_back(static_cast<char>(i * 37));
  auto& parameters = *request.mutable_parameters();
  if (command.slo_us) parameters["timeout"].set_int64_param(*command.slo_us);
  if (!command.operating_point.empty()) parameters["operating_point"].set_string_param(command.operating_point);
  return GrpcMethod{.path = "/inference.GRPCInferenceService/ModelInfer", .message = request.SerializeAsString()};
}

double Milliseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

double MicrosPerCall(std::chrono::nanoseconds time, int64_t calls) {
  return calls == 0 ? 0 : static_cast<double>(time.count()) / 1e3 / static_cast<double>(calls);
}

void PrintFailures(const std::map<std::string, int64_t>& failures) {
  for (const auto& [what, count] : failures) {
    std::cerr << "http2-load: " << count << " calls ended with " << what << "\n";
  }
}

absl::Status RunClosed(const Command& command, const LoadTarget& target) {
  const absl::StatusOr<ClosedLoopResult> result =
      RunClosedLoop(target, static_cast<int>(*command.closed), command.duration());
  if (!result.ok()) return result.status();
  const double micros = MicrosPerCall(result->processor_time, result->calls);
  if (command.json) {
    std::cout << JsonLine()
                     .Add("callers", *command.closed)
                     .Add("seconds", command.seconds)
                     .Add("calls_per_second", result->calls_per_second)
                     .Add("refused_per_second", result->refused_per_second)
                     .Add("calls", result->calls)
                     .Add("own_us_per_call", micros)
                     .text()
              << "\n";
  } else {
    std::cout << absl::StrFormat("%.1f calls/s answered, %.1f refused; %.2f us of this process a call\n",
                                 result->calls_per_second, result->refused_per_second, micros);
  }
  PrintFailures(result->failures);
  return absl::OkStatus();
}

void PrintJson(const Command& command, double rate, const StepCounts& step) {
  std::cout << JsonLine()
                   .Add("calls_per_second", rate)
                   .Add("seconds", command.seconds)
                   .Add("offered", step.offered)
                   .Add("attained", step.attained)
                   .Add("late", step.late)
                   .Add("shed", step.shed)
                   .Add("expired", step.expired)
                   .Add("unsent", step.unsent)
                   .Add("failed", step.failed)
                   .Add("p50_ms", Milliseconds(step.p50))
                   .Add("p99_ms", Milliseconds(step.p99))
                   .Add("expected_accuracy", step.expected_accuracy)
                   .Add("lag_p99_ms", Milliseconds(step.lag_p99))
                   .Add("lag_max_ms", Milliseconds(step.lag_max))
                   .Add("was_bottleneck", step.lag_p99 > kMaxLag)
                   .Add("own_us_per_call", MicrosPerCall(step.processor_time, step.offered))
                   .text()
            << "\n";
}

void PrintTable(const std::vector<double>& rates, const std::vector<StepCounts>& steps) {
  std::cout << absl::StrFormat("%9s %8s %8s %6s %8s %8s %8s %6s %8s %8s %8s %8s %8s %8s\n", "calls/s", "offered",
                               "attained", "late", "shed", "expired", "(unsent)", "failed", "p50 ms", "p99 ms",
                               "expected", "lag p99", "lag max", "own us");
  for (size_t s = 0; s < steps.size(); ++s) {
    const StepCounts& step = steps[s];
    std::cout << absl::StrFormat(
        "%9.0f %8d %8d %6d %8d %8d %8d %6d %8.2f %8.2f %8s %8.2f %8.2f %8.2f\n", rates[s], step.offered, step.attained,
        step.late, step.shed, step.expired, step.unsent, step.failed, Milliseconds(step.p50), Milliseconds(step.p99),
        step.expected_accuracy ? absl::StrFormat("%.2f %%", 100 * *step.expected_accuracy) : "-",
        Milliseconds(step.lag_p99), Milliseconds(step.lag_max), MicrosPerCall(step.processor_time, step.offered));
  }
}

absl::Status RunRates(const Command& command, const LoadTarget& target) {
  const absl::StatusOr<std::vector<double>> rates = client::ParseRates(command.rates, 1);
  if (!rates.ok()) return rates.status();
  std::vector<client::LoadStep> steps;
  for (const double rate : *rates) steps.push_back({.calls_per_second = rate, .duration = command.duration()});
  const absl::StatusOr<std::vector<client::PlannedCall>> plan =
      client::PlanLoad(steps, client::Traffic{}, 1, static_cast<uint64_t>(command.seed));
  if (!plan.ok()) return plan.status();
  const Deadline deadline =
      command.slo_us ? Deadline{.after = std::chrono::microseconds(*command.slo_us), .is_grpc = false}
                     : Deadline{.after = std::chrono::nanoseconds(static_cast<int64_t>(command.deadline_ms * 1e6))};
  const absl::StatusOr<OpenLoopResult> result = RunOpenLoop(target, *plan, static_cast<int>(steps.size()), deadline);
  if (!result.ok()) return result.status();
  if (command.json) {
    for (size_t s = 0; s < steps.size(); ++s) PrintJson(command, (*rates)[s], result->steps[s]);
  } else {
    PrintTable(*rates, result->steps);
  }
  for (size_t s = 0; s < steps.size(); ++s) {
    const double lag = Milliseconds(result->steps[s].lag_p99);
    if (result->steps[s].lag_p99 <= kMaxLag) continue;
    std::cerr << absl::StrFormat("http2-load: at %.0f calls/s this program was the bottleneck: p99 lag %.1f ms\n",
                                 (*rates)[s], lag);
  }
  PrintFailures(result->failures);
  return absl::OkStatus();
}

absl::Status Run(const Command& command) {
  absl::StatusOr<GrpcMethod> method = MethodOf(command);
  if (!method.ok()) return method.status();
  const LoadTarget target = {
      .address = command.server, .connections = static_cast<int>(command.connections), .method = *std::move(method)};
  return command.closed ? RunClosed(command, target) : RunRates(command, target);
}

int Main(std::span<const std::string> arguments) {
  const absl::StatusOr<Command> command = ParseCommand(arguments);
  if (!command.ok()) {
    std::cerr << "http2-load: " << command.status().message() << "\n" << UsageOf(Program());
    return 2;
  }
  if (!command->answer.empty()) {
    std::cout << command->answer;
    return 0;
  }
  if (const absl::Status status = Run(*command); !status.ok()) {
    std::cerr << "http2-load: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace anybit::load

int main(int argc, char** argv) { return anybit::load::Main(anybit::ArgumentsOf(argc, argv)); }
