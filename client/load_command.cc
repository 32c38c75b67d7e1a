#include "client/load_command.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/json_line.h"
#include "base/signal_name.h"
#include "client/image_file.h"
#include "client/inference_client.h"
#include "client/load_generator.h"
#include "client/load_options.h"
#include "client/load_plan.h"

namespace anybit::client {
namespace {

constexpr int kCapacityCallers = 32;
constexpr std::chrono::seconds kCapacityDuration(3);

struct Subjects {
  GrayImages images;
  std::vector<uint8_t> labels;
};

absl::StatusOr<Subjects> LoadSubjects(const LoadOptions& options, const ModelDescription& model) {
  if (model.row_shape.size() != 3 || model.row_shape[2] != 1) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' takes rows of [",
                                                      absl::StrJoin(model.row_shape, ","),
                                                      "]; only gray images [height,width,1] can be sent"));
  }
  Subjects subjects;
  absl::StatusOr<GrayImages> images = ReadImages(options.images);
  if (!images.ok()) return images.status();
  images = FitImages(*images, static_cast<int>(model.row_shape[0]), static_cast<int>(model.row_shape[1]));
  if (!images.ok()) return images.status();
  subjects.images = *std::move(images);
  if (options.labels.empty()) return subjects;
  absl::StatusOr<std::vector<uint8_t>> labels = ReadLabels(options.labels);
  if (!labels.ok()) return labels.status();
  subjects.labels = *std::move(labels);
  if (subjects.labels.size() != static_cast<size_t>(subjects.images.count)) {
    return absl::InvalidArgumentError(absl::StrCat(options.images, " holds ", subjects.images.count, " images, and ",
                                                   options.labels, " ", subjects.labels.size(), " labels"));
  }
  return subjects;
}

// The load's request without any time limit. By a class's objective the server refuses calls that have to wait, so the
// class is left out; its accuracy floor is kept, so that the same operating points may answer.
InferOptions UnhurriedRequest(const LoadOptions& options, const ModelDescription& model) {
  InferOptions request = options.request;
  request.deadline = std::chrono::microseconds(0);
  if (!options.capacity_point.empty()) request.operating_point = options.capacity_point;
  const auto floor = model.properties.find(absl::StrCat("sla_class.", request.sla_class, ".accuracy_floor_bp"));
  int64_t floor_bp;
  if (floor != model.properties.end() && absl::SimpleAtoi(floor->second, &floor_bp)) {
    request.min_accuracy_bp = std::max(request.min_accuracy_bp.value_or(0), floor_bp);
  }
  request.sla_class.clear();
  return request;
}

absl::StatusOr<double> Capacity(const LoadOptions& options, InferenceClient& client, const GrayImages& images) {
  if (options.capacity) return *options.capacity;
  const InferOptions request = UnhurriedRequest(options, client.model());
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

void PrintJson(const LoadOptions& options, std::optional<double> capacity, const std::vector<StepReport>& reports,
               std::ostream& out) {
  for (size_t s = 0; s < reports.size(); ++s) {
    const StepReport& report = reports[s];
    JsonLine points;
    for (const auto& [point, answers] : report.points) points.Add(point, answers);
    out << JsonLine()
               .Add("step", s)
               .Add("calls_per_second", report.calls_per_second)
               .Add("capacity", capacity)
               .Add("seconds", options.step_seconds)
               .Add("deadline_ms", options.request.deadline.count() / 1000.0)
               .Add("seed", options.seed)
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

void PrintTable(const LoadOptions& options, std::optional<double> capacity, const std::vector<StepReport>& reports,
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
absl::Status Run(const LoadOptions& options, Interruption& interruption, std::ostream& out) {
  absl::StatusOr<std::unique_ptr<InferenceClient>> client =
      InferenceClient::Connect(options.server, {.model = options.model});
  if (!client.ok()) return client.status();
  absl::StatusOr<Subjects> subjects = LoadSubjects(options, (*client)->model());
  if (!subjects.ok()) return subjects.status();

  const Interruption::Listener listener(interruption, [&] { (*client)->Cancel(); });
  const auto interrupted = [&](const auto&... when) {
    return absl::CancelledError(absl::StrCat("interrupted by ", SignalName(interruption.signal()), when...));
  };
  std::optional<double> capacity;
  if (NeedsCapacity(options.steps)) {
    absl::StatusOr<double> found = Capacity(options, **client, subjects->images);
    if (interruption.signal() != 0) return interrupted(" while the capacity was measured: no step was sent");
    if (!found.ok()) return found.status();
    capacity = *found;
  }
  absl::StatusOr<std::vector<double>> rates = ParseRates(options.steps, capacity.value_or(0));
  if (!rates.ok()) return rates.status();
  std::vector<LoadStep> steps;
  for (const double rate : *rates) {
    steps.push_back({.calls_per_second = rate,
                     .duration = std::chrono::nanoseconds(static_cast<int64_t>(options.step_seconds * 1e9))});
  }
  absl::StatusOr<std::vector<PlannedCall>> plan =
      PlanLoad(steps, options.arrivals, subjects->images.count, static_cast<uint64_t>(options.seed));
  if (!plan.ok()) return plan.status();

  const std::vector<CallOutcome> outcomes =
      RunLoad(**client, *plan, {.images = subjects->images, .request = options.request}, interruption);
  const std::vector<StepReport> reports = ReportLoad(steps, *plan, outcomes, subjects->labels);
  if (options.json) {
    PrintJson(options, capacity, reports, out);
  } else {
    PrintTable(options, capacity, reports, out);
  }
  if (interruption.signal() == 0) return absl::OkStatus();
  int64_t ended = 0;
  for (const StepReport& report : reports) ended += report.offered;
  return interrupted(": ", ended, " of ", plan->size(), " calls had ended; they are reported");
}

}  // namespace

int RunLoadCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                   std::ostream& err) {
  const absl::StatusOr<LoadOptions> options = ParseLoadOptions(arguments);
  if (!options.ok()) {
    err << "anybit-load: " << options.status().message() << "\n" << LoadUsage();
    return 2;
  }
  if (!options->answer.empty()) {
    out << options->answer;
    return 0;
  }
  const absl::Status status = Run(*options, interruption, out);
  if (status.ok()) return 0;
  err << "anybit-load: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return interruption.signal() != 0 ? 128 + interruption.signal() : 1;
}

}  // namespace anybit::client
