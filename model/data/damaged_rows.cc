#include "model/data/damaged_rows.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/data/read_rows.h"

namespace anybit::model {

std::vector<DamagedRow> FindDamaged(const ExampleSet& examples, int part, int parts) {
  std::vector<DamagedRow> damaged;
  if (examples.row_cost() == RowCost::kCopy) return damaged;
  std::mutex mutex;
  const int64_t rows = (examples.count() - part + parts - 1) / parts;
  const absl::Status all = ForEachRow(rows, ReadingThreads(examples.row_cost()), [&](int64_t i) {
    const int64_t row = part + i * parts;
    if (absl::Status status = examples.Check(row); !status.ok()) {
      const std::lock_guard lock(mutex);
      damaged.push_back({row, std::move(status)});
    }
    return absl::OkStatus();
  });
  all.IgnoreError();  // the work above returns no error
  std::sort(damaged.begin(), damaged.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
  return damaged;
}

absl::Status CheckClassesRemain(const ExampleSet& examples, const std::vector<DamagedRow>& damaged) {
  if (damaged.empty()) return absl::OkStatus();
  std::vector<int64_t> left(examples.classes());
  for (int64_t row = 0; row < examples.count(); ++row) ++left[examples.label(row)];
  for (const DamagedRow& row : damaged) {
    const int label = examples.label(row.row);
    if (--left[label] > 0) continue;
    const std::string name =
        examples.class_names().empty() ? absl::StrCat(label) : absl::StrCat("'", examples.class_names()[label], "'");
    return absl::InvalidArgumentError(
        absl::StrCat("class ", name, " has no example that can be read: ", row.status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ExampleSet>> WithoutDamaged(std::unique_ptr<ExampleSet> examples,
                                                           const std::vector<DamagedRow>& damaged, int64_t limit) {
  if (damaged.empty()) return examples;
  const auto count = static_cast<int64_t>(damaged.size());
  if (count > limit) {
    constexpr int64_t kShown = 10;
    std::string text = absl::StrCat(count, count == 1 ? " example" : " examples", " of ", examples->count(),
                                    " cannot be read, limit ", limit, ":");
    for (int64_t i = 0; i < std::min(count, kShown); ++i) {
      absl::StrAppend(&text, i == 0 ? " " : "; ", damaged[i].status.message());
    }
    if (count > kShown) absl::StrAppend(&text, "; and ", count - kShown, " more");
    return absl::DataLossError(text);
  }
  std::vector<int64_t> whole;
  auto next = damaged.begin();
  for (int64_t row = 0; row < examples->count(); ++row) {
    if (next != damaged.end() && next->row == row) {
      ++next;
    } else {
      whole.push_back(row);
    }
  }
  if (whole.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("none of ", count, " examples can be read: ", damaged.front().status.message(), "; ..."));
  }
  return std::make_unique<Subset>(std::move(examples), std::move(whole));
}

}  // namespace anybit::model
