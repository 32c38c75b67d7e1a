#include "client/client_command_options.h"

#include <chrono>
#include <cstddef>
#include <ratio>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/flag_types.h"
#include "base/version.h"
#include "client/connection.h"
#include "client/request_flags.h"

using IndexFlag = anybit::WholeNumber<0, 1 << 30>;
using ImagesFlag = anybit::WholeNumber<1, 1 << 30>;
using CallsFlag = anybit::WholeNumber<1, 10'000>;
using MillisecondsFlag = anybit::RealNumber<std::milli, std::ratio<3'600'000>>;

ABSL_FLAG(std::string, server, "127.0.0.1:8001", "HOST:PORT of the server");
ABSL_FLAG(std::string, model, "", "name of a model; by default the server's first ready one");
ABSL_FLAG(bool, json, false, "one JSON object a line in place of tables");
ABSL_FLAG(std::optional<IndexFlag>, index, std::nullopt, "only this image of the file, from 0");
ABSL_FLAG(std::optional<ImagesFlag>, first, std::nullopt, "only this many images, from the first");
ABSL_FLAG(std::string, labels, "",
          "IDX file with the images' labels: prints the accuracy, and above 20 images nothing else");
ABSL_FLAG(std::optional<MillisecondsFlag>, deadline_ms, std::nullopt, "the answer is wanted within this time");
ABSL_FLAG(CallsFlag, in_flight, 64, "the most calls under way at once");

namespace anybit::client {
namespace {

ProgramDescription Program() {
  return {.usage =
              "anybit-client [FLAG...] status\n"
              "anybit-client [FLAG...] classify FILE...",
          .about = "FILE is IDX, PNG, JPEG or PGM, plain or gzipped; smaller images are centred in the model's input.",
          .sections = {{.title = "", .flags = {"server", "model", "json"}},
                       {.title = "the images", .flags = {"index", "first", "labels"}},
                       {.title = "each request",
                        .flags = {"operating_point", "deadline_ms", "min_accuracy_bp", "min_bits", "sla_class",
                                  "tenant", "in_flight"}}},
          .footer =
              "exit status: 0 answered, 1 the server or a file refused, 2 wrong usage, 130 (143) ended by Ctrl-C "
              "(SIGTERM)\nafter a report of the images answered",
          .version = absl::StrCat("anybit-client ", kVersion)};
}

}  // namespace

std::string ClientUsage() { return UsageOf(Program()); }

absl::StatusOr<ClientCommandOptions> ParseClientCommandOptions(std::span<const std::string> arguments) {
  const ProgramDescription program = Program();
  ResetFlags(program);
  const absl::StatusOr<CommandLine> line = ParseCommandLine(program, arguments);
  if (!line.ok()) return line.status();
  if (!line->answer.empty()) return ClientCommandOptions{.answer = line->answer};
  ClientCommandOptions options{.server = absl::GetFlag(FLAGS_server),
                               .model = absl::GetFlag(FLAGS_model),
                               .json = absl::GetFlag(FLAGS_json),
                               .index = absl::GetFlag(FLAGS_index),
                               .first = absl::GetFlag(FLAGS_first),
                               .labels = absl::GetFlag(FLAGS_labels),
                               .in_flight = absl::GetFlag(FLAGS_in_flight)};
  options.infer = RequestOfFlags();
  if (const std::optional<double> ms = absl::GetFlag(FLAGS_deadline_ms); ms.has_value()) {
    options.infer.deadline = std::chrono::microseconds(static_cast<int64_t>(*ms * 1000));
  }

  if (line->words.empty()) return absl::InvalidArgumentError("nothing to do: say status or classify");
  options.verb = line->words[0];
  options.files.assign(line->words.begin() + 1, line->words.end());
  const size_t files = options.files.size();
  if (options.verb != "status" && options.verb != "classify") {
    return absl::InvalidArgumentError(absl::StrCat("unknown verb '", options.verb, "'"));
  }
  if (options.verb == "status" && files > 0) {
    return absl::InvalidArgumentError(absl::StrCat("status takes no files: '", options.files[0], "'"));
  }
  if (options.verb == "classify" && files == 0) return absl::InvalidArgumentError("classify needs a file");
  if (absl::Status status = ParseServerAddress(options.server).status(); !status.ok()) return status;
  if (options.index && options.first) return absl::InvalidArgumentError("--index and --first exclude each other");
  if (files > 1 && (options.index || options.first || !options.labels.empty())) {
    return absl::InvalidArgumentError("--index, --first and --labels go with one file");
  }
  return options;
}

}  // namespace anybit::client
