// Rows that cannot be read, found before hours of work depend on them.
#ifndef ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_
#define ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

struct DamagedRow {
  int64_t row = 0;
  absl::Status status;  // names the file and what is wrong with it
};

// Checks the rows of part `part` of `parts`, which processes may share, by as many threads as are of use: every
// parts-th row from `part` on. A set of files is decoded once, which is the work of reading it for one epoch; of other
// sets nothing is read. In the order of the rows.
std::vector<DamagedRow> FindDamaged(const ExampleSet& examples, int part = 0, int parts = 1);

// InvalidArgument, naming class and file, where a class that has rows has only damaged ones.
absl::Status CheckClassesRemain(const ExampleSet& examples, const std::vector<DamagedRow>& damaged);

// The examples without their rows `damaged`, which are sorted. DataLoss with some of the rows' statuses where they are
// more than `limit`; InvalidArgument where no row is left.
absl::StatusOr<std::unique_ptr<ExampleSet>> WithoutDamaged(std::unique_ptr<ExampleSet> examples,
                                                           const std::vector<DamagedRow>& damaged, int64_t limit);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_
