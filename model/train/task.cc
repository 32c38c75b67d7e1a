#include "model/train/task.h"

#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/arch/registry.h"
#include "model/data/open_examples.h"
#include "model/train/trainer/input_shape.h"

namespace anybit::model::train {
namespace {

absl::Status WithHint(const absl::Status& status, const std::string& architecture) {
  if (!absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(absl::StrCat(status.message(), " (architecture '", architecture,
                                                 "' takes options for other rows, as in "
                                                 "NAME:side=28,channels=1,frames=8)"));
}

// Without class names, classes may exist that do not occur in a set.
bool Fits(const ExampleSet& examples, const NetworkSpec& spec) {
  const int classes = PlanNetwork(spec)->classes();
  return examples.class_names().empty() ? examples.classes() <= classes : examples.classes() == classes;
}

}  // namespace

absl::StatusOr<Task> OpenTask(const std::string& architecture, const std::string& data, TestRows test_rows) {
  absl::StatusOr<NetworkSpec> spec = ArchitectureByName(architecture);
  if (!spec.ok()) return spec.status();
  const ExampleShape shape = InputShape(*PlanNetwork(*spec));
  absl::StatusOr<std::unique_ptr<ExampleSet>> training = OpenExamples(data, Split::kTrain, shape);
  if (!training.ok()) return WithHint(training.status(), architecture);
  Task task{.architecture = architecture, .training = *std::move(training)};
  if (test_rows == TestRows::kNeeded) {
    absl::StatusOr<std::unique_ptr<ExampleSet>> test = OpenExamples(data, Split::kTest, shape);
    if (!test.ok()) return WithHint(test.status(), architecture);
    task.test = *std::move(test);
  }
  const int classes = task.training->classes();
  if (!Fits(*task.training, *spec)) {
    if (absl::StrContains(architecture, "classes=")) {
      return absl::InvalidArgumentError(absl::StrCat("'", data, "' has ", classes, " classes, architecture '",
                                                     architecture, "' ", PlanNetwork(*spec)->classes()));
    }
    absl::StrAppend(&task.architecture, absl::StrContains(architecture, ':') ? "," : ":", "classes=", classes);
    spec = ArchitectureByName(task.architecture);
    if (!spec.ok()) return spec.status();
  }
  task.spec = *std::move(spec);
  // The architectures' own labels are those of Fashion-MNIST, whose files have no names.
  const auto& names = task.training->class_names();
  if (!names.empty() || !absl::StrContains(absl::AsciiStrToLower(NameOfData(data)), "fashion")) {
    task.spec.mutable_labels()->Assign(names.begin(), names.end());
  }
  return task;
}

absl::Status DropDamaged(const std::vector<DamagedRow>& rows, int64_t limit, int64_t& dropped,
                         std::unique_ptr<ExampleSet>& examples, std::ostream& log) {
  absl::StatusOr<std::unique_ptr<ExampleSet>> whole = WithoutDamaged(std::move(examples), rows, limit - dropped);
  dropped += static_cast<int64_t>(rows.size());
  if (absl::IsDataLoss(whole.status())) {
    return absl::DataLossError(
        absl::StrCat(whole.status().message(), " (--max_damaged=", dropped, " leaves them out)"));
  }
  if (!whole.ok()) return whole.status();
  for (const DamagedRow& row : rows) log << "damaged, left out: " << row.status.message() << "\n";
  examples = *std::move(whole);
  return absl::OkStatus();
}

std::string NameOfData(const std::string& data) {
  const size_t colon = data.find(':');
  const std::string kind = colon == std::string::npos ? "" : data.substr(0, colon + 1);
  const std::filesystem::path folder(std::string(absl::StripSuffix(absl::StripPrefix(data, kind), "/")));
  return kind + folder.filename().string();
}

}  // namespace anybit::model::train
