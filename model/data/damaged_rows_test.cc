#include "model/data/damaged_rows.h"

#include <set>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "model/data/example_files.h"
#include "model/data/open_examples.h"

namespace anybit::model {
namespace {

constexpr ExampleShape kShape{.height = 2, .width = 2};

std::string Flat(uint8_t value) { return PngBytes({2, 2, 1, std::vector<uint8_t>(4, value)}); }

// Classes a, b and c of three images each; those at `damaged` are cut in the middle.
std::unique_ptr<ExampleSet> Images(const std::string& name, const std::set<int>& damaged) {
  const std::string folder = FreshFolder(name);
  for (int i = 0; i < 9; ++i) {
    const std::string whole = Flat(static_cast<uint8_t>(i));
    WriteFile(folder + "/train/" + "abc"[i / 3] + "/" + std::to_string(i) + ".png",
              damaged.contains(i) ? whole.substr(0, whole.size() / 2) : whole);
  }
  return *OpenExamples(folder, Split::kTrain, kShape);
}

TEST(FindDamaged, NamesEveryFileThatCannotBeRead) {
  const auto set = Images("damaged_test_find", {1, 8});
  const std::vector<DamagedRow> damaged = FindDamaged(*set);
  ASSERT_EQ(damaged.size(), 2u);
  EXPECT_EQ(damaged[0].row, 1);
  EXPECT_EQ(damaged[0].status.message(),
            "'" + testing::TempDir() + "/damaged_test_find/train/a/1.png': PNG: the file ends too early");
  EXPECT_EQ(damaged[1].row, 8);
  EXPECT_TRUE(FindDamaged(*Images("damaged_test_whole", {})).empty());
}

TEST(FindDamaged, IsTheSameInPartsAsInOne) {
  const auto set = Images("damaged_test_parts", {0, 4, 5, 8});
  std::set<int64_t> rows;
  for (int part = 0; part < 4; ++part) {
    for (const DamagedRow& row : FindDamaged(*set, part, 4)) EXPECT_TRUE(rows.insert(row.row).second) << row.row;
  }
  EXPECT_EQ(rows, (std::set<int64_t>{0, 4, 5, 8}));
}

TEST(WithoutDamaged, KeepsTheOtherRowsInOrderWithinTheLimit) {
  auto set = Images("damaged_test_skip", {1, 8});
  const std::vector<DamagedRow> damaged = FindDamaged(*set);
  const auto whole = WithoutDamaged(std::move(set), damaged, 2);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_EQ((*whole)->count(), 7);
  const std::vector<int> values = {0, 2, 3, 4, 5, 6, 7};
  for (int i = 0; i < 7; ++i) {
    std::vector<uint8_t> row(4);
    ASSERT_TRUE((*whole)->Read(i, row).ok());
    EXPECT_EQ(row[0], values[i]);
    EXPECT_EQ((*whole)->label(i), values[i] / 3);
  }
  EXPECT_EQ((*whole)->class_names().size(), 3u);
}

TEST(WithoutDamaged, NamesTheFilesThatAreTooMany) {
  auto set = Images("damaged_test_many", {1, 8});
  const std::string folder = testing::TempDir() + "/damaged_test_many/train/";
  const std::vector<DamagedRow> damaged = FindDamaged(*set);
  const absl::Status status = WithoutDamaged(std::move(set), damaged, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "2 examples of 9 cannot be read, limit 1: '" + folder +
                                  "a/1.png': PNG: the file ends too early; '" + folder +
                                  "c/8.png': PNG: the file ends too early");
}

TEST(WithoutDamaged, RefusesToLeaveNothing) {
  auto set = Images("damaged_test_nothing", {0, 1, 2, 3, 4, 5, 6, 7, 8});
  const std::vector<DamagedRow> damaged = FindDamaged(*set);
  const absl::Status status = WithoutDamaged(std::move(set), damaged, 9).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(status.message(), "none of 9 examples can be read: '")) << status;
}

TEST(CheckClassesRemain, NamesAClassThatHasOnlyDamagedRows) {
  const auto most = Images("damaged_test_most", {3, 4, 8});
  EXPECT_TRUE(CheckClassesRemain(*most, FindDamaged(*most)).ok());
  const auto all = Images("damaged_test_class", {3, 4, 5});
  const absl::Status status = CheckClassesRemain(*all, FindDamaged(*all));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(status.message(), "class 'b' has no example that can be read: '")) << status;
}

}  // namespace
}  // namespace anybit::model
