#include "client/load_command.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/signal_name.h"
#include "client/argument_parser.h"
#include "client/connection.h"
#include "client/image_file.h"
#include "client/inference_client.h"
#include "client/json_line.h"
#include "client/load_generator.h"
#include "client/load_plan.h"

namespace anybit {
namespace {

constexpr char kUsage[] =
    R"(usage: anybit-load --images FILE [OPTION...]

Sends a load that does not wait for answers, step by step, and tells how each step was served.

  --server HOST:PORT     default 127.0.0.1:8001
  --model NAME           default: the server's first ready model
  --images FILE          IDX images, or one PNG, JPEG or PGM; plain or gzipped
  --labels FILE          their IDX labels: measures the real accuracy too
the load:
  --steps RATES          calls/s, or with an x multiples of the capacity; default 0.2x,0.5x,1x,2x,3x,1x,0.2x
  --step-seconds S       default 10
  --capacity C           calls/s, or auto (default): the answers to up to 32 callers in 3 s, with the class's accuracy
                         floor but neither a deadline nor the class's objective
  --capacity-point P     operating point pinned while the capacity is measured; default: the server's choice
  --arrivals KIND        poisson (default) or constant
  --seed N               default 1; the same seed sends the same load
each request:
  --deadline-ms MS       default 50; 0: none. Latency counts from the instant when the call was to be sent
  --operating-point P    pins one, such as w4a4f
  --min-accuracy-bp N    no operating point below this accuracy, in 1/100 %
  --min-bits N           no operating point of fewer bits
  --sla-class NAME
  --tenant NAME
output:
  --json                 one JSON object per step instead of a table
exit status: 0 the load ran, 1 the server or a file said no, 2 wrong usage, 130 (143) ended by Ctrl-C (SIGTERM) after
a report of the calls that had ended
)";

constexpr int kCapacityCallers = 32;
constexpr std::chrono::seconds kCapacityDuration(3);

struct Command {
  std::string server = "127.0.0.1:8001";
  std::string model;
  std::string images;
  std::string labels;
  std::string steps = "0.2x,0.5x,1x,2x,3x,1x,0.2x";
  double step_seconds = 10;
  std::optional<double> capacity;  // unset: to be measured
  std::string capacity_point;
  Arrivals arrivals = Arrivals::kPoisson;
  int64_t seed = 1;
  InferOptions request;
  bool json = false;
  bool help = false;
};

absl::StatusOr<Command> ParseCommand(std::span<const std::string> arguments) {
  Command command;
  std::string capacity = "auto";
  std::string arrivals = "poisson";
  std::optional<double> step_seconds;
  std::optional<double> deadline_ms;
  std::optional<int64_t> seed;
  ArgumentParser parser;
  parser.AddText("server", &command.server);
  parser.AddText("model", &command.model);
  parser.AddText("images", &command.images);
  parser.AddText("labels", &command.labels);
  parser.AddText("steps", &command.steps);
  parser.AddReal("step-seconds", 0.001, 86'400, &step_seconds);
  parser.AddText("capacity", &capacity);
  parser.AddText("capacity-point", &command.capacity_point);
  parser.AddText("arrivals", &arrivals);
  parser.AddInteger("seed", 0, INT64_MAX, &seed);
  parser.AddReal("deadline-ms", 0, 3.6e6, &deadline_ms);
  parser.AddText("operating-point", &command.request.operating_point);
  parser.AddInteger("min-accuracy-bp", 0, 10'000, &command.request.min_accuracy_bp);
  parser.AddInteger("min-bits", 1, 32, &command.request.min_bits);
  parser.AddText("sla-class", &command.request.sla_class);
  parser.AddText("tenant", &command.request.tenant);
  parser.AddSwitch("json", &command.json);
  parser.AddSwitch("help", &command.help);
  absl::StatusOr<std::vector<std::string>> words = parser.Parse(arguments);
  if (!words.ok()) return words.status();
  if (command.help) return command;
  if (!words->empty()) return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", words->front(), "'"));
  if (command.images.empty()) return absl::InvalidArgumentError("--images is missing");

  if (capacity != "auto") {
    double number;
    if (!absl::SimpleAtod(capacity, &number) || !(number > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--capacity takes auto or a positive number, not '", capacity, "'"));
    }
    command.capacity = number;
  }
  if (arrivals == "constant") {
    command.arrivals = Arrivals::kConstant;
  } else if (arrivals != "poisson") {
    return absl::InvalidArgumentError(absl::StrCat("--arrivals takes poisson or constant, not '", arrivals, "'"));
  }
  if (absl::Status status = ParseRates(command.steps, 1).status(); !status.ok()) return status;
  if (absl::Status status = ParseServerAddress(command.server).status(); !status.ok()) return status;
  command.step_seconds = step_seconds.value_or(command.step_seconds);
  command.seed = seed.value_or(command.seed);
  command.request.deadline = std::chrono::microseconds(static_cast<int64_t>(deadline_ms.value_or(50) * 1000));
  return command;
}

struct Subjects {
  GrayImages images;
  std::vector<uint8_t> labels;
};

absl::StatusOr<Subjects> LoadSubjects(const Command& command, const ModelDescription& model) {
  if (model.row_shape.size() != 3 || model.row_shape[2] != 1) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' takes rows of [",
                                                      absl::StrJoin(model.row_shape, ","),
                                                      "]; only gray images [height,width,1] can be sent"));
  }
  Subjects subjects;
  absl::StatusOr<GrayImages> images = ReadImages(command.images);
  if (!images.ok()) return images.status();
  images = FitImages(*images, static_cast<int>(model.row_shape[0]), static_cast<int>(model.row_shape[1]));
  if (!images.ok()) return images.status();
  subjects.images = *std::move(images);
  if (command.labels.empty()) return subjects;
  absl::StatusOr<std::vector<uint8_t>> labels = ReadLabels(command.labels);
  if (!labels.ok()) return labels.status();
  subjects.labels = *std::move(labels);
  if (subjects.labels.size() != static_cast<size_t>(subjects.images.count)) {
    return absl::InvalidArgumentError(absl::StrCat(command.images, " holds ", subjects.images.count, " images, and ",
                                                   command.labels, " ", subjects.labels.size(), " labels"));
  }
  return subjects;
}

// The load's request without any time limit. By a class's objective the server refuses calls that have to wait, so the
// class is left out; its accuracy floor is kept, so that the same operating points may answer.
InferOptions UnhurriedRequest(const Command& command, const ModelDescription& model) {
  InferOptions request = command.request;
  request.deadline = std::chrono::microseconds(0);
  if (!command.capacity_point.empty()) request.operating_point = command.capacity_point;
  const auto floor = model.properties.find(absl::StrCat("sla_class.", request.sla_class, ".accuracy_floor_bp"));
  int64_t floor_bp;
  if (floor != model.properties.end() && absl::SimpleAtoi(floor->second, &floor_bp)) {
    request.min_accuracy_bp = std::max(request.min_accuracy_bp.value_or(0), floor_bp);
  }
  request.sla_class.clear();
  return request;
}

absl::StatusOr<double> Capacity(const Command& command, InferenceClient& client, const GrayImages& images) {
  if (command.capacity) return *command.capacity;
  const InferOptions request = UnhurriedRequest(command, client.model());
  absl::StatusOr<double> capacity =
      MeasureCapacity(client, {.images = images, .request = request}, kCapacityCallers, kCapacityDuration);
  if (!capacity.ok()) {
    return absl::Status(capacity.status().code(),
                        absl::StrCat("while the capacity was measured: ", capacity.status().message()));
  }
  return capacity;
}

double Milliseconds(std::chrono::nanoseconds time) { return time.count() / 1e6; }

int64_t CountOf(const StepReport& report, Ending ending) {
  const auto count = report.endings.find(ending);
  return count == report.endings.end() ? 0 : count->second;
}

void PrintJson(const Command& command, std::optional<double> capacity, const std::vector<StepReport>& reports,
               std::ostream& out) {
  for (size_t s = 0; s < reports.size(); ++s) {
    const StepReport& report = reports[s];
    JsonLine points;
    for (const auto& [point, answers] : report.points) points.Add(point, answers);
    out << JsonLine()
               .Add("step", s)
               .Add("calls_per_second", report.calls_per_second)
               .Add("capacity", capacity)
               .Add("seconds", command.step_seconds)
               .Add("deadline_ms", command.request.deadline.count() / 1000.0)
               .Add("seed", command.seed)
               .Add("offered", report.offered)
               .Add("attained", CountOf(report, Ending::kAttained))
               .Add("late", CountOf(report, Ending::kLate))
               .Add("shed", CountOf(report, Ending::kShed))
               .Add("expired", CountOf(report, Ending::kExpired))
               .Add("failed", CountOf(report, Ending::kFailed))
               .Add("attainment", report.attainment)
               .Add("expected_accuracy", report.expected_accuracy)
               .Add("top1", report.top1)
               .Add("p50_ms", Milliseconds(report.p50))
               .Add("p99_ms", Milliseconds(report.p99))
               .Add("operating_points", points)
               .Add("complete", report.complete)
               .text()
        << "\n";
  }
}

std::string Percent(std::optional<double> share) { return share ? absl::StrFormat("%.2f %%", 100 * *share) : "-"; }

void PrintTable(const Command& command, std::optional<double> capacity, const std::vector<StepReport>& reports,
                std::ostream& out) {
  if (capacity) out << absl::StrFormat("capacity %.1f calls/s\n", *capacity);
  out << absl::StrFormat("%10s %8s %8s %7s %7s %7s %7s %9s %9s %9s %9s %9s  %s\n", "calls/s", "offered", "attained",
                         "late", "shed", "expired", "failed", "attained", "expected", "top-1", "p50 ms", "p99 ms",
                         "answers by operating point");
  for (const StepReport& report : reports) {
    // The most used operating point first.
    std::vector<std::pair<std::string, int64_t>> points(report.points.begin(), report.points.end());
    std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    out << absl::StrFormat("%10.1f %8d %8d %7d %7d %7d %7d %9s %9s %9s %9.2f %9.2f  %s\n", report.calls_per_second,
                           report.offered, CountOf(report, Ending::kAttained), CountOf(report, Ending::kLate),
                           CountOf(report, Ending::kShed), CountOf(report, Ending::kExpired),
                           CountOf(report, Ending::kFailed), Percent(report.attainment),
                           Percent(report.expected_accuracy), Percent(report.top1), Milliseconds(report.p50),
                           Milliseconds(report.p99), absl::StrJoin(points, " ", absl::PairFormatter(":")));
  }
}

// Cancelled where it was interrupted.
absl::Status Run(const Command& command, Interruption& interruption, std::ostream& out) {
  absl::StatusOr<std::unique_ptr<InferenceClient>> client =
      InferenceClient::Connect(command.server, {.model = command.model});
  if (!client.ok()) return client.status();
  absl::StatusOr<Subjects> subjects = LoadSubjects(command, (*client)->model());
  if (!subjects.ok()) return subjects.status();

  const Interruption::Listener listener(interruption, [&] { (*client)->Cancel(); });
  const auto interrupted = [&](const auto&... when) {
    return absl::CancelledError(absl::StrCat("interrupted by ", SignalName(interruption.signal()), when...));
  };
  std::optional<double> capacity;
  if (NeedsCapacity(command.steps)) {
    absl::StatusOr<double> found = Capacity(command, **client, subjects->images);
    if (interruption.signal() != 0) return interrupted(" while the capacity was measured: no step was sent");
    if (!found.ok()) return found.status();
    capacity = *found;
  }
  absl::StatusOr<std::vector<double>> rates = ParseRates(command.steps, capacity.value_or(0));
  if (!rates.ok()) return rates.status();
  std::vector<LoadStep> steps;
  for (const double rate : *rates) {
    steps.push_back({.calls_per_second = rate,
                     .duration = std::chrono::nanoseconds(static_cast<int64_t>(command.step_seconds * 1e9))});
  }
  absl::StatusOr<std::vector<PlannedCall>> plan =
      PlanLoad(steps, command.arrivals, subjects->images.count, static_cast<uint64_t>(command.seed));
  if (!plan.ok()) return plan.status();

  const std::vector<CallOutcome> outcomes =
      RunLoad(**client, *plan, {.images = subjects->images, .request = command.request}, interruption);
  const std::vector<StepReport> reports = ReportLoad(steps, *plan, outcomes, subjects->labels);
  if (command.json) {
    PrintJson(command, capacity, reports, out);
  } else {
    PrintTable(command, capacity, reports, out);
  }
  if (interruption.signal() == 0) return absl::OkStatus();
  int64_t ended = 0;
  for (const StepReport& report : reports) ended += report.offered;
  return interrupted(": ", ended, " of ", plan->size(), " calls had ended; they are reported");
}

}  // namespace

int RunLoadCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                   std::ostream& err) {
  const absl::StatusOr<Command> command = ParseCommand(arguments);
  if (!command.ok()) {
    err << "anybit-load: " << command.status().message() << "\n" << kUsage;
    return 2;
  }
  if (command->help) {
    out << kUsage;
    return 0;
  }
  const absl::Status status = Run(*command, interruption, out);
  if (status.ok()) return 0;
  err << "anybit-load: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return interruption.signal() != 0 ? 128 + interruption.signal() : 1;
}

}  // namespace anybit
