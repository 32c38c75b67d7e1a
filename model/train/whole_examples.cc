#include "model/train/whole_examples.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/data/damaged_rows.h"

namespace anybit::model::train {
namespace {

absl::StatusOr<std::vector<DamagedRow>> FindDamagedBy(ProcessGroup& group, const std::string& device,
                                                      const ExampleSet& examples) {
  torch::Tensor marks = torch::zeros({examples.count()});
  for (const DamagedRow& row : FindDamaged(examples, group.rank(), group.size())) marks[row.row] = 1;
  torch::Tensor all = marks.to(torch::Device(device));
  if (absl::Status status = group.Sum({all}); !status.ok()) return status;
  std::vector<DamagedRow> damaged;
  const torch::Tensor rows = all.cpu().nonzero();
  for (int64_t i = 0; i < rows.size(0); ++i) {
    const int64_t row = rows[i].item<int64_t>();
    absl::Status status = examples.Check(row);
    // Processes on different machines may see different files.
    if (status.ok()) status = absl::DataLossError(absl::StrCat("row ", row, ", which another process cannot read"));
    damaged.push_back({row, std::move(status)});
  }
  return damaged;
}

}  // namespace

absl::Status KeepWholeExamples(Task& task, int64_t limit, ProcessGroup* group, const std::string& device,
                               std::ostream& log) {
  int64_t dropped = 0;
  for (std::unique_ptr<ExampleSet>* examples : {&task.training, &task.test}) {
    if (*examples == nullptr) continue;
    absl::StatusOr<std::vector<DamagedRow>> damaged =
        group == nullptr ? FindDamaged(**examples) : FindDamagedBy(*group, device, **examples);
    if (!damaged.ok()) return damaged.status();
    if (examples == &task.training) {
      if (absl::Status status = CheckClassesRemain(**examples, *damaged); !status.ok()) return status;
    }
    if (absl::Status status = DropDamaged(*damaged, limit, dropped, *examples, log); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace anybit::model::train
