#include "model/data/read_rows.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace anybit::model {

int ReadingThreads(RowCost cost) {
  if (cost == RowCost::kCopy) return 1;
  // More would wait for the disk or for the loop that uses the rows.
  constexpr unsigned kMaxReadingThreads = 16;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, kMaxReadingThreads));
}

absl::Status ForEachRow(int64_t n, int threads, const std::function<absl::Status(int64_t)>& work) {
  std::atomic<int64_t> next = 0;  // the next index, taken by any of the threads
  std::mutex mutex;
  absl::Status error;  // under the mutex, with its index
  int64_t error_at = n;
  const auto run = [&] {
    for (int64_t i = next++; i < n; i = next++) {
      absl::Status status = work(i);
      if (status.ok()) continue;
      next = n;
      const std::lock_guard lock(mutex);
      if (i < error_at) {
        error_at = i;
        error = std::move(status);
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (int64_t t = 1; t < std::min<int64_t>(threads, n); ++t) others.emplace_back(run);
    run();
  }
  return error;
}

absl::Status ReadRows(const ExampleSet& examples, int64_t first, int64_t n, std::span<uint8_t> rows) {
  const int64_t elements = examples.shape().elements();
  return ForEachRow(n, ReadingThreads(examples.row_cost()),
                    [&](int64_t i) { return examples.Read(first + i, rows.subspan(i * elements, elements)); });
}

}  // namespace anybit::model
