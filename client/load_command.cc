#include "client/load_command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/signal_name.h"
#include "client/feedback_reporter.h"
#include "client/image_file.h"
#include "client/inference_client.h"
#include "client/load_generator.h"
#include "client/load_mix.h"
#include "client/load_options.h"
#include "client/load_output.h"
#include "client/load_page.h"
#include "client/load_plan.h"
#include "client/load_progress.h"
#include "client/load_report.h"
#include "client/load_traffic.h"

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

// Before the load, which may take hours.
absl::Status CheckFiles(const LoadOptions& options) {
  for (const std::string& file : {options.csv, options.html, options.percentiles}) {
    if (file.empty()) continue;
    if (absl::Status status = CheckReplaceable(file); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status WriteReport(const LoadSent& sent, const LoadReport& report, std::ostream& out, std::ostream& err) {
  const LoadOptions& options = sent.options;
  out << (options.json ? LoadJson(sent, report) : LoadTable(sent, report)) << std::flush;
  if (const std::string warning = ClientLimitWarning(report); !warning.empty()) {
    err << "anybit-load: " << warning << "\n";
  }
  absl::Status status;
  if (!options.csv.empty()) status.Update(ReplaceFile(options.csv, LoadCsv(report)));
  if (!options.html.empty()) status.Update(ReplaceFile(options.html, LoadPage(sent, report)));
  if (!options.percentiles.empty()) status.Update(ReplaceFile(options.percentiles, LoadPercentiles(report)));
  return status;
}

absl::StatusOr<std::vector<std::unique_ptr<InferenceClient>>> Connect(const LoadOptions& options) {
  std::vector<std::unique_ptr<InferenceClient>> clients;
  for (int c = 0; c < options.connections; ++c) {
    absl::StatusOr<std::unique_ptr<InferenceClient>> client =
        InferenceClient::Connect(options.server, {.model = options.model});
    if (!client.ok()) return client.status();
    clients.push_back(*std::move(client));
  }
  return clients;
}

struct Load {
  std::vector<LoadStep> steps;
  std::vector<PlannedCall> plan;
};

std::vector<std::chrono::nanoseconds> DeadlinesOf(std::span<const RequestKind> kinds) {
  std::vector<std::chrono::nanoseconds> deadlines;
  for (const RequestKind& kind : kinds) deadlines.push_back(kind.request.deadline);
  return deadlines;
}

absl::StatusOr<Load> Plan(const LoadSent& sent, const Traffic& traffic, int images) {
  absl::StatusOr<std::vector<LoadStep>> steps = MakeSteps(sent.options, traffic, sent.capacity.value_or(0));
  if (!steps.ok()) return steps.status();
  std::vector<double> weights;
  for (const RequestKind& kind : sent.kinds) weights.push_back(kind.weight);
  absl::StatusOr<std::vector<PlannedCall>> plan =
      PlanLoad(*steps, traffic, images, static_cast<uint64_t>(sent.options.seed), weights);
  if (!plan.ok()) return plan.status();
  return Load{.steps = *std::move(steps), .plan = *std::move(plan)};
}

LoadReport Send(const LoadSent& sent, const Load& load, std::span<const std::unique_ptr<InferenceClient>> clients,
                const Subjects& subjects, const Interruption& interruption, std::ostream& err) {
  std::vector<InferOptions> requests;
  for (const RequestKind& kind : sent.kinds) requests.push_back(kind.request);
  LoadProgress progress(load.steps);
  std::optional<ProgressLine> line;
  std::optional<FeedbackReporter> feedback;
  Senders senders{.clients = clients, .threads = sent.options.threads};
  senders.on_end = [&](const PlannedCall& call, const CallOutcome& outcome) {
    if (line) progress.Count(outcome);
    if (feedback) feedback->Count(call, outcome);
  };
  if (sent.options.feedback && !subjects.labels.empty()) feedback.emplace(*clients.front(), subjects.labels);
  if (sent.options.progress && isatty(STDERR_FILENO) != 0) {
    line.emplace(err, [&, start = std::chrono::steady_clock::now()] {
      return progress.Tell(std::chrono::steady_clock::now() - start);
    });
  }
  const std::vector<CallOutcome> outcomes = RunLoad(senders, load.plan, subjects.images, requests, interruption);
  line.reset();
  if (const absl::Status status = feedback ? feedback->End() : absl::OkStatus(); !status.ok()) {
    err << "anybit-load: the server took no labels: " << status.message() << "\n";
  }
  return ReportLoad(load.steps, load.plan, outcomes,
                    {.labels = subjects.labels,
                     .kinds = static_cast<int>(sent.kinds.size()),
                     .send_delay_limit = SendDelayLimit(DeadlinesOf(sent.kinds))});
}

// Cancelled where it was interrupted.
absl::Status Run(const LoadOptions& options, Interruption& interruption, std::ostream& out, std::ostream& err) {
  if (absl::Status status = CheckFiles(options); !status.ok()) return status;
  const absl::StatusOr<std::vector<RequestKind>> kinds = ParseMix(options.mix, options.request);
  if (!kinds.ok()) return kinds.status();
  const absl::StatusOr<Traffic> traffic = MakeTraffic(options, DeadlinesOf(*kinds));
  if (!traffic.ok()) return traffic.status();
  const absl::StatusOr<std::vector<std::unique_ptr<InferenceClient>>> clients = Connect(options);
  if (!clients.ok()) return clients.status();
  InferenceClient& first = *clients->front();
  const absl::StatusOr<Subjects> subjects = LoadSubjects(options, first.model());
  if (!subjects.ok()) return subjects.status();

  const Interruption::Listener listener(interruption, [&] {
    for (const std::unique_ptr<InferenceClient>& client : *clients) client->Cancel();
  });
  const auto interrupted = [&](const auto&... when) {
    return absl::CancelledError(absl::StrCat("interrupted by ", SignalName(interruption.signal()), when...));
  };
  LoadSent sent{.options = options, .kinds = *kinds, .model = first.model().name};
  if (NeedsCapacity(options.steps)) {
    const absl::StatusOr<double> found = Capacity(options, first, subjects->images);
    if (interruption.signal() != 0) return interrupted(" while the capacity was measured: no step was sent");
    if (!found.ok()) return found.status();
    sent.capacity = *found;
  }
  const absl::StatusOr<Load> load = Plan(sent, *traffic, subjects->images.count);
  if (!load.ok()) return load.status();
  const LoadReport report = Send(sent, *load, *clients, *subjects, interruption, err);
  if (absl::Status status = WriteReport(sent, report, out, err); !status.ok()) return status;
  if (interruption.signal() == 0) return absl::OkStatus();
  int64_t ended = 0;
  for (const StepReport& step : report.steps) ended += step.offered;
  return interrupted(": ", ended, " of ", load->plan.size(), " calls had ended; they are reported");
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
  const absl::Status status = Run(*options, interruption, out, err);
  if (status.ok()) return 0;
  err << "anybit-load: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return interruption.signal() != 0 ? 128 + interruption.signal() : 1;
}

}  // namespace anybit::client
