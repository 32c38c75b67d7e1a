// Work on rows by several threads: reading a range of an example set, and the loop behind it.
#ifndef ANYBIT_MODEL_DATA_READ_ROWS_H_
#define ANYBIT_MODEL_DATA_READ_ROWS_H_

#include <cstdint>
#include <functional>
#include <span>

#include "absl/status/status.h"
#include "model/data/example_set.h"

namespace anybit::model {

// Threads that speed up reading rows of this cost on this machine; 1 where a row is a copy.
int ReadingThreads(RowCost cost);

// Calls work(0) to work(n - 1) from `threads` threads, the caller included, and returns when all have ended. After an
// error no further call begins; of several errors, that of the lowest index is returned.
absl::Status ForEachRow(int64_t n, int threads, const std::function<absl::Status(int64_t)>& work);

// Rows first to first + n - 1 of `examples` to `rows`, one after the other.
absl::Status ReadRows(const ExampleSet& examples, int64_t first, int64_t n, std::span<uint8_t> rows);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_READ_ROWS_H_
