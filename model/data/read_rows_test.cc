#include "model/data/read_rows.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

TEST(ForEachRow, DoesEachRowOnceWithAnyNumberOfThreads) {
  for (int threads : {1, 2, 7, 100}) {
    std::vector<std::atomic<int>> done(50);
    ASSERT_TRUE(ForEachRow(50, threads, [&](int64_t i) { return ++done[i], absl::OkStatus(); }).ok());
    for (const std::atomic<int>& count : done) EXPECT_EQ(count, 1);
  }
  EXPECT_TRUE(ForEachRow(0, 4, [](int64_t) { return absl::InternalError("called"); }).ok());
}

TEST(ForEachRow, ReturnsTheErrorOfTheLowestRowAndStops) {
  std::atomic<int> calls = 0;
  const absl::Status status = ForEachRow(1000, 1, [&](int64_t i) {
    ++calls;
    return i >= 3 ? absl::DataLossError(absl::StrCat("row ", i)) : absl::OkStatus();
  });
  EXPECT_EQ(status.message(), "row 3");
  EXPECT_EQ(calls, 4);
  // Rows 0 and 1 fail at once, each having waited for the other.
  std::atomic<int> here = 0;
  EXPECT_EQ(ForEachRow(2, 2,
                       [&](int64_t i) {
                         for (++here; here < 2;) std::this_thread::yield();
                         return absl::DataLossError(absl::StrCat("row ", i));
                       })
                .message(),
            "row 0");
}

TEST(ReadRows, PutsRowsOneAfterTheOther) {
  const MemoryExamples set({.height = 1, .width = 2}, {0, 0, 0}, {1, 2, 3, 4, 5, 6});
  std::vector<uint8_t> rows(4);
  ASSERT_TRUE(ReadRows(set, 1, 2, rows).ok());
  EXPECT_EQ(rows, (std::vector<uint8_t>{3, 4, 5, 6}));
}

}  // namespace
}  // namespace anybit::model
