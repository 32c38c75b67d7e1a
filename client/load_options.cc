#include "client/load_options.h"

#include <chrono>
#include <limits>
#include <ratio>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/arrivals/workloads.h"
#include "base/command_line.h"
#include "base/flag_types.h"
#include "base/version.h"
#include "client/connection.h"
#include "client/load_mix.h"
#include "client/load_plan.h"
#include "client/request_flags.h"

using SeedFlag = anybit::WholeNumber<0, std::numeric_limits<int64_t>::max()>;
using ConnectionsFlag = anybit::WholeNumber<1, 1024>;
using ThreadsFlag = anybit::WholeNumber<1, 256>;
using SecondsFlag = anybit::RealNumber<std::milli, std::ratio<86'400>>;
using PositiveMillisecondsFlag = anybit::RealNumber<std::milli, std::ratio<3'600'000>>;
using MinuteFlag = anybit::WholeNumber<0, 1'000'000>;
using MinutesFlag = anybit::WholeNumber<1, 1'000'000>;
using MillisecondsFlag = anybit::RealNumber<std::ratio<0>, std::ratio<3'600'000>>;

ABSL_FLAG(std::string, server, "127.0.0.1:8001", "HOST:PORT of the server");
ABSL_FLAG(std::string, model, "", "name of a model; by default the server's first ready one");
ABSL_FLAG(std::string, images, "", "IDX images, or one PNG, JPEG or PGM; plain or gzipped");
ABSL_FLAG(std::string, labels, "", "IDX file with the images' labels: measures the real accuracy too");
ABSL_FLAG(std::string, steps, "",
          "calls/s, or with an x multiples of the capacity, by default 0.2x,0.5x,1x,2x,3x,1x,0.2x; each step replays a "
          "file as a whole, by default once, as fast as it was recorded");
ABSL_FLAG(SecondsFlag, step_seconds, 10, "length of a step that replays no file");
ABSL_FLAG(std::string, capacity, "auto",
          "calls/s, or auto: measured as the answers to up to 32 callers in 3 s, with the class's accuracy floor but "
          "neither a deadline nor the class's objective");
ABSL_FLAG(std::string, capacity_point, "",
          "operating point to run while the capacity is measured; by default the server chooses");
ABSL_FLAG(std::string, arrivals, "poisson",
          "when the calls of a step come: constant, poisson, gamma2, gamma4, gamma8, bursty2, bursty4, bursty8, "
          "acceleration, step, flash, mmpp, diurnal or azure");
ABSL_FLAG(std::optional<PositiveMillisecondsFlag>, time_unit_ms, std::nullopt,
          "unit of the time scales of flash (a crowd stays for 5), mmpp and azure (a minute is 20); by default the "
          "shortest deadline, or 50 ms without one");
ABSL_FLAG(std::string, arrival_times, "",
          "in place of --arrivals, calls at the times in this file, in milliseconds, one a line");
ABSL_FLAG(std::string, azure, "",
          "in place of --arrivals, the invocations of an Azure Functions trace of 2019: FILE[,FILE], a file a day");
ABSL_FLAG(MinuteFlag, azure_first, 0, "the first minute of the Azure trace to take");
ABSL_FLAG(MinutesFlag, azure_minutes, 60, "how many minutes of the Azure trace to take");
ABSL_FLAG(SeedFlag, seed, 1, "the same seed sends the same load");
ABSL_FLAG(MillisecondsFlag, deadline_ms, 50,
          "0: none; latency counts from the instant at which the call was to be sent");
ABSL_FLAG(
    std::string, mix, "",
    "kinds of requests, as CLASS[/TENANT][@DEADLINE_MS][:WEIGHT],...; a part that is left out is that of the other "
    "flags; by default all requests are of one kind");
ABSL_FLAG(ConnectionsFlag, connections, 1, "connections to the server, used in turn");
ABSL_FLAG(ThreadsFlag, threads, 1, "threads that send");
ABSL_FLAG(bool, feedback, true, "with --labels, tell the server the true classes of its answers (anybit.v1.Feedback)");
ABSL_FLAG(bool, json, false, "one JSON object per step in place of a table");
ABSL_FLAG(std::string, html, "", "file to write a report with figures to, which needs no other file");
ABSL_FLAG(std::string, csv, "", "file to write the course over time to, a row for each part of a step");
ABSL_FLAG(std::string, percentiles, "",
          "file to write the latencies' distribution to, in HdrHistogram's text form (.hgrm)");
ABSL_FLAG(bool, progress, true, "a line on stderr that tells how the load fares, if that is a terminal");

namespace anybit::client {
namespace {

ProgramDescription Program() {
  return {.usage = "anybit-load --images=FILE [FLAG...]",
          .about = "Sends a load that does not wait for answers, step by step, and reports how each step was served.",
          .sections = {{.title = "", .flags = {"server", "model", "images", "labels"}},
                       {.title = "the load",
                        .flags = {"steps", "step_seconds", "capacity", "capacity_point", "arrivals", "time_unit_ms",
                                  "arrival_times", "azure", "azure_first", "azure_minutes", "seed", "connections",
                                  "threads"}},
                       {.title = "each request",
                        .flags = {"deadline_ms", "operating_point", "min_accuracy_bp", "min_bits", "sla_class",
                                  "tenant", "mix"}},
                       {.title = "output", .flags = {"feedback", "json", "html", "csv", "percentiles", "progress"}}},
          .footer =
              "exit status: 0 the load ran, 1 the server or a file refused, 2 wrong usage, 130 (143) ended by "
              "Ctrl-C (SIGTERM)\nafter a report of the calls that had ended",
          .version = absl::StrCat("anybit-load ", kVersion)};
}

constexpr char kDefaultSteps[] = "0.2x,0.5x,1x,2x,3x,1x,0.2x";

// When calls come, and what must not be given together.
absl::Status CheckTraffic(LoadOptions& options) {
  if (absl::Status status = CheckWorkload(options.workload); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--arrivals: ", status.message()));
  }
  if (!options.arrival_times.empty() && !options.azure.empty()) {
    return absl::InvalidArgumentError("only one of --arrival_times and --azure can be given");
  }
  options.azure_part = {.first_minute = static_cast<int>(absl::GetFlag(FLAGS_azure_first)),
                        .minutes = static_cast<int>(absl::GetFlag(FLAGS_azure_minutes)),
                        .seed = static_cast<uint64_t>(options.seed)};
  if (const std::optional<PositiveMillisecondsFlag> unit = absl::GetFlag(FLAGS_time_unit_ms)) {
    options.time_unit = std::chrono::nanoseconds(static_cast<int64_t>(*unit * 1e6));
  }
  if (options.steps.empty() && options.replays()) return absl::OkStatus();
  if (options.steps.empty()) options.steps = kDefaultSteps;
  return ParseRates(options.steps, 1).status();
}

}  // namespace

std::string LoadUsage() { return UsageOf(Program()); }

absl::StatusOr<LoadOptions> ParseLoadOptions(std::span<const std::string> arguments) {
  const ProgramDescription program = Program();
  ResetFlags(program);
  const absl::StatusOr<CommandLine> line = ParseCommandLine(program, arguments);
  if (!line.ok()) return line.status();
  if (!line->answer.empty()) return LoadOptions{.answer = line->answer};
  if (absl::Status status = ExpectNoWords(*line); !status.ok()) return status;
  LoadOptions options{.server = absl::GetFlag(FLAGS_server),
                      .model = absl::GetFlag(FLAGS_model),
                      .images = absl::GetFlag(FLAGS_images),
                      .labels = absl::GetFlag(FLAGS_labels),
                      .steps = absl::GetFlag(FLAGS_steps),
                      .step_seconds = absl::GetFlag(FLAGS_step_seconds),
                      .capacity_point = absl::GetFlag(FLAGS_capacity_point),
                      .workload = absl::GetFlag(FLAGS_arrivals),
                      .arrival_times = absl::GetFlag(FLAGS_arrival_times),
                      .azure = absl::GetFlag(FLAGS_azure),
                      .seed = absl::GetFlag(FLAGS_seed),
                      .mix = absl::GetFlag(FLAGS_mix),
                      .connections = static_cast<int>(absl::GetFlag(FLAGS_connections)),
                      .threads = static_cast<int>(absl::GetFlag(FLAGS_threads)),
                      .feedback = absl::GetFlag(FLAGS_feedback),
                      .json = absl::GetFlag(FLAGS_json),
                      .progress = absl::GetFlag(FLAGS_progress),
                      .csv = absl::GetFlag(FLAGS_csv),
                      .html = absl::GetFlag(FLAGS_html),
                      .percentiles = absl::GetFlag(FLAGS_percentiles)};
  options.request = RequestOfFlags();
  const double deadline_ms = absl::GetFlag(FLAGS_deadline_ms);
  options.request.deadline = std::chrono::microseconds(static_cast<int64_t>(deadline_ms * 1000));
  if (options.images.empty()) return absl::InvalidArgumentError("--images is missing");
  if (const std::string capacity = absl::GetFlag(FLAGS_capacity); capacity != "auto") {
    double number;
    if (!absl::SimpleAtod(capacity, &number) || !(number > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--capacity takes auto or a positive number, not '", capacity, "'"));
    }
    options.capacity = number;
  }
  if (absl::Status status = CheckTraffic(options); !status.ok()) return status;
  if (absl::StatusOr<std::vector<RequestKind>> kinds = ParseMix(options.mix, options.request); !kinds.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--mix: ", kinds.status().message()));
  }
  if (absl::Status status = ParseServerAddress(options.server).status(); !status.ok()) return status;
  return options;
}

}  // namespace anybit::client
