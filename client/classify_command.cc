#include "client/classify_command.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/json_line.h"
#include "base/signal_name.h"
#include "client/basis_points.h"
#include "client/image_file.h"

namespace anybit::client {
namespace {

// With labels the accuracy is wanted; a table is printed only where it is short.
constexpr size_t kMaxLabelledRows = 20;

// An image to classify, where it came from and, where there are labels, its own.
struct Subject {
  std::string name;  // of the file, with [index] where it holds many
  std::vector<uint8_t> row;
  std::optional<int> label;
};

absl::StatusOr<std::vector<Subject>> LoadSubjects(const ClientCommandOptions& options, const ModelDescription& model) {
  if (model.row_shape.size() != 3 || model.row_shape[2] != 1) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' takes rows of [",
                                                      absl::StrJoin(model.row_shape, ","),
                                                      "]; only gray images [height,width,1] can be classified"));
  }
  std::vector<uint8_t> labels;
  if (!options.labels.empty()) {
    absl::StatusOr<std::vector<uint8_t>> read = ReadLabels(options.labels);
    if (!read.ok()) return read.status();
    labels = *std::move(read);
  }
  std::vector<Subject> subjects;
  for (const std::string& path : options.files) {
    absl::StatusOr<GrayImages> images = ReadImages(path);
    if (!images.ok()) return images.status();
    if (!labels.empty() && labels.size() != static_cast<size_t>(images->count)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds ", images->count, " images, and ", options.labels, " ", labels.size(), " labels"));
    }
    absl::StatusOr<GrayImages> fitted =
        FitImages(*images, static_cast<int>(model.row_shape[0]), static_cast<int>(model.row_shape[1]));
    if (!fitted.ok()) return absl::Status(fitted.status().code(), absl::StrCat(path, ": ", fitted.status().message()));
    const int64_t begin = options.index.value_or(0);
    const int64_t count = options.index ? 1 : options.first.value_or(fitted->count);
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
                                 const InferOptions& infer, int64_t in_flight, const Interruption& interruption) {
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
    client.InferAsync(subjects[i].row, infer, [&, i](absl::StatusOr<InferResult> result) {
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

}  // namespace

absl::Status Classify(const ClientCommandOptions& options, InferenceClient& client, Interruption& interruption,
                      std::ostream& out) {
  absl::StatusOr<std::vector<Subject>> all = LoadSubjects(options, client.model());
  if (!all.ok()) return all.status();
  const Interruption::Listener listener(interruption, [&] { client.Cancel(); });
  std::vector<Outcome> outcomes = ClassifyAll(client, *all, options.infer, options.in_flight, interruption);
  std::vector<Subject> subjects;
  std::vector<absl::StatusOr<InferResult>> results;
  for (size_t i = 0; i < all->size(); ++i) {
    if (!outcomes[i]) continue;
    subjects.push_back(std::move((*all)[i]));
    results.push_back(*std::move(outcomes[i]));
  }

  const bool labelled = !options.labels.empty();
  if (options.json) {
    for (size_t i = 0; i < results.size(); ++i) {
      out << AsJson(client.model(), subjects[i], results[i]).text() << "\n";
    }
  } else if (!labelled || subjects.size() <= kMaxLabelledRows) {
    PrintTable(client.model(), subjects, results, out);
  }
  if (labelled) PrintAccuracy(Measure(subjects, results), subjects.size(), options.json, out);

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

}  // namespace anybit::client
