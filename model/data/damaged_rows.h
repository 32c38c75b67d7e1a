// Finds rows that cannot be read before a long run depends on them.
#ifndef ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_
#define ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

struct DamagedRow {
  int64_t row = 0;
  absl::Status status;  // names the file and what is wrong with it
};

// Checks every parts-th row from `part` on, with ReadingThreads threads, so that processes can share the work. A set of
// files is decoded once, as in one epoch; other sets are not read. Returns rows in ascending order.
std::vector<DamagedRow> FindDamaged(const ExampleSet& examples, int part = 0, int parts = 1);

// InvalidArgument, naming class and file, where a class that has rows has only damaged ones.
absl::Status CheckClassesRemain(const ExampleSet& examples, const std::vector<DamagedRow>& damaged);

// The examples without the rows `damaged`, which are sorted. DataLoss with some of the rows' statuses where there are
// more than `limit` of them; InvalidArgument where no row remains.
absl::StatusOr<std::unique_ptr<ExampleSet>> WithoutDamaged(std::unique_ptr<ExampleSet> examples,
                                                           const std::vector<DamagedRow>& damaged, int64_t limit);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_DAMAGED_ROWS_H_
