#include "client/client_command.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/signal_name.h"
#include "client/argument_parser.h"
#include "client/connection.h"
#include "client/image_file.h"
#include "client/inference_client.h"
#include "client/json_line.h"

namespace anybit {
namespace {

constexpr char kUsage[] =
    R"(usage: anybit-client [OPTION...] status
       anybit-client [OPTION...] classify FILE...

FILE is IDX, PNG, JPEG or PGM, plain or gzipped; smaller images are centred in the model's input.

  --server HOST:PORT     default 127.0.0.1:8001
  --model NAME           default: the server's first ready model
  --json                 one JSON object per line instead of tables
what to classify:
  --index I              only image I of the file, from 0
  --first N              only the first N images
  --labels FILE          IDX labels of the images: prints the accuracy, and above 20 images nothing else
how:
  --operating-point P    pins one, such as w4a4f
  --deadline-ms MS       the answer is wanted within this time
  --min-accuracy-bp N    no operating point below this accuracy, in 1/100 %
  --min-bits N           no operating point of fewer bits
  --sla-class NAME
  --tenant NAME
  --in-flight N          calls under way at once, default 64
exit status: 0 answered, 1 the server or a file said no, 2 wrong usage, 130 (143) ended by Ctrl-C (SIGTERM) after
a report of the images answered
)";

// With labels the accuracy is what is wanted, and a table only where it is short.
constexpr size_t kLargestLabelledTable = 20;

struct Command {
  std::string server = "127.0.0.1:8001";
  std::string model;
  bool json = false;
  bool help = false;
  std::optional<int64_t> index;
  std::optional<int64_t> first;
  std::string labels;
  std::optional<int64_t> in_flight;
  InferOptions infer;
  std::vector<std::string> words;  // the verb and its files
};

absl::StatusOr<Command> ParseCommand(std::span<const std::string> arguments) {
  Command command;
  std::optional<double> deadline_ms;
  ArgumentParser parser;
  parser.AddText("server", &command.server);
  parser.AddText("model", &command.model);
  parser.AddSwitch("json", &command.json);
  parser.AddSwitch("help", &command.help);
  parser.AddInteger("index", 0, 1 << 30, &command.index);
  parser.AddInteger("first", 1, 1 << 30, &command.first);
  parser.AddText("labels", &command.labels);
  parser.AddInteger("in-flight", 1, 10'000, &command.in_flight);
  parser.AddText("operating-point", &command.infer.operating_point);
  parser.AddReal("deadline-ms", 0.001, 3.6e6, &deadline_ms);
  parser.AddInteger("min-accuracy-bp", 0, 10'000, &command.infer.min_accuracy_bp);
  parser.AddInteger("min-bits", 1, 32, &command.infer.min_bits);
  parser.AddText("sla-class", &command.infer.sla_class);
  parser.AddText("tenant", &command.infer.tenant);
  absl::StatusOr<std::vector<std::string>> words = parser.Parse(arguments);
  if (!words.ok()) return words.status();
  command.words = *std::move(words);
  if (deadline_ms) command.infer.deadline = std::chrono::microseconds(static_cast<int64_t>(*deadline_ms * 1000));
  if (command.help) return command;

  if (command.words.empty()) return absl::InvalidArgumentError("nothing to do: say status or classify");
  const std::string& verb = command.words[0];
  const size_t files = command.words.size() - 1;
  if (verb != "status" && verb != "classify") {
    return absl::InvalidArgumentError(absl::StrCat("unknown verb '", verb, "'"));
  }
  if (verb == "status" && files > 0) return absl::InvalidArgumentError("status takes no files");
  if (verb == "classify" && files == 0) return absl::InvalidArgumentError("classify needs a file");
  if (absl::Status status = ParseServerAddress(command.server).status(); !status.ok()) return status;
  if (command.index && command.first) return absl::InvalidArgumentError("--index and --first exclude each other");
  if (files > 1 && (command.index || command.first || !command.labels.empty())) {
    return absl::InvalidArgumentError("--index, --first and --labels go with one file");
  }
  return command;
}

// An image to classify, where it came from and, where there are labels, its own.
struct Subject {
  std::string name;  // of the file, with [index] where it holds many
  std::vector<uint8_t> row;
  std::optional<int> label;
};

absl::StatusOr<std::vector<Subject>> LoadSubjects(const Command& command, const ModelDescription& model) {
  if (model.row_shape.size() != 3 || model.row_shape[2] != 1) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' takes rows of [",
                                                      absl::StrJoin(model.row_shape, ","),
                                                      "]; only gray images [height,width,1] can be classified"));
  }
  std::vector<uint8_t> labels;
  if (!command.labels.empty()) {
    absl::StatusOr<std::vector<uint8_t>> read = ReadLabels(command.labels);
    if (!read.ok()) return read.status();
    labels = *std::move(read);
  }
  std::vector<Subject> subjects;
  for (const std::string& path : std::span(command.words).subspan(1)) {
    absl::StatusOr<GrayImages> images = ReadImages(path);
    if (!images.ok()) return images.status();
    if (!labels.empty() && labels.size() != static_cast<size_t>(images->count)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds ", images->count, " images, and ", command.labels, " ", labels.size(), " labels"));
    }
    absl::StatusOr<GrayImages> fitted =
        FitImages(*images, static_cast<int>(model.row_shape[0]), static_cast<int>(model.row_shape[1]));
    if (!fitted.ok()) return absl::Status(fitted.status().code(), absl::StrCat(path, ": ", fitted.status().message()));
    const int64_t begin = command.index.value_or(0);
    const int64_t count = command.index ? 1 : command.first.value_or(fitted->count);
    if (begin + count > fitted->count) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds ", fitted->count, " images; asked for image ", begin + count - 1, ", from 0"));
    }
    for (int64_t i = begin; i < begin + count; ++i) {
      const std::span<const uint8_t> row = fitted->image(static_cast<int>(i));
      subjects.push_back({.name = fitted->count == 1 ? path : absl::StrCat(path, "[", i, "]"),
                          .row = {row.begin(), row.end()},
                          .label = labels.empty() ? std::nullopt : std::optional<int>(labels[i])});
    }
  }
  return subjects;
}

// Of one subject; empty where the work was interrupted before it was answered or refused.
using Outcome = std::optional<absl::StatusOr<InferResult>>;

// The outcomes in the subjects' order, with at most `in_flight` calls under way. `interruption` is to cancel the
// client's calls.
std::vector<Outcome> ClassifyAll(InferenceClient& client, const std::vector<Subject>& subjects,
                                 const InferOptions& options, int64_t in_flight, const Interruption& interruption) {
  struct {
    absl::Mutex mutex;
    int64_t under_way ABSL_GUARDED_BY(mutex) = 0;
  } window;
  std::vector<Outcome> outcomes(subjects.size());
  for (size_t i = 0; i < subjects.size() && interruption.signal() == 0; ++i) {
    {
      const auto room = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(window.mutex) { return window.under_way < in_flight; };
      absl::MutexLock lock(&window.mutex, absl::Condition(&room));
      ++window.under_way;
    }
    client.InferAsync(subjects[i].row, options, [&, i](absl::StatusOr<InferResult> result) {
      const bool cancelled = interruption.signal() != 0 && result.status().code() == absl::StatusCode::kCancelled;
      if (!cancelled) outcomes[i] = std::move(result);
      absl::MutexLock lock(&window.mutex);
      --window.under_way;
    });
  }
  const auto idle = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(window.mutex) { return window.under_way == 0; };
  absl::MutexLock lock(&window.mutex, absl::Condition(&idle));
  return outcomes;
}

std::string LabelOf(const ModelDescription& model, int index) {
  return model.labels.empty() ? absl::StrCat(index) : model.labels[index];
}

std::string Milliseconds(std::optional<std::chrono::microseconds> time) {
  return time ? absl::StrFormat("%.2f ms", time->count() / 1000.0) : "-";
}

std::string Percent(std::optional<int64_t> basis_points) {
  return basis_points ? absl::StrFormat("%.2f %%", *basis_points / 100.0) : "-";
}

std::optional<int64_t> Count(std::optional<std::chrono::microseconds> time) {
  if (!time) return std::nullopt;
  return time->count();
}

JsonLine AsJson(const ModelDescription& model, const Subject& subject, const absl::StatusOr<InferResult>& result) {
  JsonLine json;
  json.Add("image", subject.name);
  if (!result.ok()) {
    return json.Add("error", absl::StatusCodeToString(result.status().code()))
        .Add("message", std::string(result.status().message()));
  }
  const TopClass top = TopOf(result->logits);
  const ServedAs& served = result->served;
  return json.Add("class", top.index)
      .Add("label", LabelOf(model, top.index))
      .Add("probability", top.probability)
      .Add("expected_class", subject.label)
      .Add("operating_point", served.operating_point)
      .Add("bits", served.bits)
      .Add("expected_accuracy_bp", served.expected_accuracy_bp)
      .Add("queue_us", Count(served.queue))
      .Add("compute_us", Count(served.compute))
      .Add("batch_size", served.batch_size)
      .Add("deadline_met", served.deadline_met);
}

void PrintTable(const ModelDescription& model, const std::vector<Subject>& subjects,
                const std::vector<absl::StatusOr<InferResult>>& results, std::ostream& out) {
  size_t name_width = 5;
  size_t label_width = 5;
  for (const Subject& subject : subjects) name_width = std::max(name_width, subject.name.size());
  for (const std::string& label : model.labels) label_width = std::max(label_width, label.size());
  out << absl::StrFormat("%-*s  %-*s  %11s  %-8s %4s  %9s  %10s  %10s\n", name_width, "image", label_width, "label",
                         "probability", "point", "bits", "expected", "queue", "compute");
  for (size_t i = 0; i < subjects.size(); ++i) {
    out << absl::StrFormat("%-*s  ", name_width, subjects[i].name);
    if (!results[i].ok()) {
      out << results[i].status().ToString() << "\n";
      continue;
    }
    const TopClass top = TopOf(results[i]->logits);
    const ServedAs& served = results[i]->served;
    out << absl::StrFormat("%-*s  %9.2f %%  %-8s %4s  %9s  %10s  %10s\n", label_width, LabelOf(model, top.index),
                           100 * top.probability, served.operating_point,
                           served.bits ? absl::StrCat(*served.bits) : "-", Percent(served.expected_accuracy_bp),
                           Milliseconds(served.queue), Milliseconds(served.compute));
  }
}

// What the labels say about the answers.
struct Accuracy {
  int64_t answered = 0;
  int64_t right = 0;
  std::map<std::string, int64_t> by_point;  // answers
};

Accuracy Measure(const std::vector<Subject>& subjects, const std::vector<absl::StatusOr<InferResult>>& results) {
  Accuracy accuracy;
  for (size_t i = 0; i < subjects.size(); ++i) {
    if (!results[i].ok()) continue;
    ++accuracy.answered;
    accuracy.right += TopOf(results[i]->logits).index == subjects[i].label;
    ++accuracy.by_point[results[i]->served.operating_point];
  }
  return accuracy;
}

void PrintAccuracy(const Accuracy& accuracy, size_t images, bool json, std::ostream& out) {
  const double top1 = accuracy.answered == 0 ? 0 : static_cast<double>(accuracy.right) / accuracy.answered;
  if (json) {
    JsonLine points;
    for (const auto& [point, answers] : accuracy.by_point) points.Add(point, answers);
    out << JsonLine()
               .Add("images", images)
               .Add("answered", accuracy.answered)
               .Add("right", accuracy.right)
               .Add("top1", top1)
               .Add("operating_points", points)
               .text()
        << "\n";
    return;
  }
  out << absl::StrFormat("top-1 %.2f %%: %d of %d answered images right (%d images)\n", 100 * top1, accuracy.right,
                         accuracy.answered, images);
  for (const auto& [point, answers] : accuracy.by_point) out << absl::StrFormat("  %-8s %d\n", point, answers);
}

// Cancelled where it was interrupted.
absl::Status Classify(const Command& command, InferenceClient& client, Interruption& interruption, std::ostream& out) {
  absl::StatusOr<std::vector<Subject>> all = LoadSubjects(command, client.model());
  if (!all.ok()) return all.status();
  const Interruption::Listener listener(interruption, [&] { client.Cancel(); });
  std::vector<Outcome> outcomes =
      ClassifyAll(client, *all, command.infer, command.in_flight.value_or(64), interruption);
  std::vector<Subject> subjects;
  std::vector<absl::StatusOr<InferResult>> results;
  for (size_t i = 0; i < all->size(); ++i) {
    if (!outcomes[i]) continue;
    subjects.push_back(std::move((*all)[i]));
    results.push_back(*std::move(outcomes[i]));
  }

  const bool labelled = !command.labels.empty();
  if (command.json) {
    for (size_t i = 0; i < results.size(); ++i) {
      out << AsJson(client.model(), subjects[i], results[i]).text() << "\n";
    }
  } else if (!labelled || subjects.size() <= kLargestLabelledTable) {
    PrintTable(client.model(), subjects, results, out);
  }
  if (labelled) PrintAccuracy(Measure(subjects, results), subjects.size(), command.json, out);

  if (interruption.signal() != 0) {
    return absl::CancelledError(absl::StrCat("interrupted by ", SignalName(interruption.signal()), " after ",
                                             results.size(), " of ", all->size(), " images"));
  }

  int64_t refused = 0;
  absl::Status first_refusal;
  for (const absl::StatusOr<InferResult>& result : results) {
    if (result.ok()) continue;
    if (refused++ == 0) first_refusal = result.status();
  }
  if (refused == 0) return absl::OkStatus();
  return absl::Status(first_refusal.code(), absl::StrCat(refused, " of ", results.size(),
                                                         " images not answered; the first: ", first_refusal.message()));
}

// The operating points as a table, then the properties that are not about one of them.
void PrintProperties(const std::map<std::string, std::string>& properties, std::ostream& out) {
  const auto value_of = [&](const std::string& key) {
    const auto found = properties.find(key);
    return found == properties.end() ? std::string() : found->second;
  };
  const std::string points = value_of("operating_points");
  if (!points.empty()) {
    out << absl::StrFormat("%-11s %9s  %11s  %15s\n", "point", "accuracy", "weight bits", "activation bits");
    for (const absl::string_view point : absl::StrSplit(points, ',')) {
      const std::string prefix = absl::StrCat("operating_point.", point, ".");
      int64_t accuracy_bp;
      const bool known = absl::SimpleAtoi(value_of(prefix + "accuracy_bp"), &accuracy_bp);
      out << absl::StrFormat("  %-9s %9s  %11s  %15s\n", point, known ? Percent(accuracy_bp) : "-",
                             value_of(prefix + "weight_bits"), value_of(prefix + "activation_bits"));
    }
  }
  for (const auto& [key, value] : properties) {
    // The labels once only.
    if (key == "labels" && properties.contains("labels_json")) continue;
    if (!key.starts_with("operating_point")) out << absl::StrFormat("%-11s %s\n", key, value);
  }
}

absl::Status ShowStatus(const Command& command, InferenceClient& client, std::ostream& out) {
  absl::StatusOr<InferenceClient::ServerStatus> status = client.Status();
  if (!status.ok()) return status.status();
  const ModelDescription& model = client.model();
  const std::string input = absl::StrCat("[n,", absl::StrJoin(model.row_shape, ","), "]");
  if (command.json) {
    JsonLine properties;
    for (const auto& [key, value] : model.properties) properties.Add(key, value);
    out << JsonLine()
               .Add("server", status->name)
               .Add("server_version", status->version)
               .Add("live", status->live)
               .Add("ready", status->ready)
               .Add("extensions", absl::StrJoin(status->extensions, " "))
               .Add("model", model.name)
               .Add("model_version", model.version)
               .Add("platform", model.platform)
               .Add("input", model.input_name)
               .Add("input_shape", input)
               .Add("output", model.output_name)
               .Add("classes", model.classes)
               .Add("properties", properties)
               .text()
        << "\n";
    return absl::OkStatus();
  }
  out << "server      " << status->name << " " << status->version << (status->live ? ", live" : ", not live")
      << (status->ready ? ", ready" : ", not ready") << "\n"
      << "extensions  " << absl::StrJoin(status->extensions, " ") << "\n"
      << "model       " << model.name << " version " << model.version << " (" << model.platform << ")\n"
      << "input       " << model.input_name << " UINT8 " << input << "\n"
      << "output      " << model.output_name << " FP32 [n," << model.classes << "]\n";
  PrintProperties(model.properties, out);
  return absl::OkStatus();
}

}  // namespace

int RunClientCommand(std::span<const std::string> arguments, Interruption& interruption, std::ostream& out,
                     std::ostream& err) {
  absl::StatusOr<Command> command = ParseCommand(arguments);
  if (!command.ok()) {
    err << "anybit-client: " << command.status().message() << "\n" << kUsage;
    return 2;
  }
  if (command->help) {
    out << kUsage;
    return 0;
  }
  absl::StatusOr<std::unique_ptr<InferenceClient>> client =
      InferenceClient::Connect(command->server, {.model = command->model});
  absl::Status status = client.status();
  if (status.ok()) {
    status = command->words[0] == "status" ? ShowStatus(*command, **client, out)
                                           : Classify(*command, **client, interruption, out);
  }
  if (status.ok()) return 0;
  err << "anybit-client: " << absl::StatusCodeToString(status.code()) << ": " << status.message() << "\n";
  return interruption.signal() != 0 ? 128 + interruption.signal() : 1;
}

}  // namespace anybit
