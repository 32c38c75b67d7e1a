#include "metrics/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace anybit::metrics {
namespace {

// A root folder whose /proc has `text` in `name`.
class ProcessUsageTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = root_ / "proc" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void SetUp() override { std::filesystem::remove_all(root_); }
  ProcessUsage Read() const { return ReadProcessUsage(root_.string()); }

 private:
  const std::filesystem::path root_ =
      std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

constexpr char kStat[] =
    "17 (a) name) R 1 17 17 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 9 0 1000 12345678 99 18446744073709551615\n";

TEST_F(ProcessUsageTest, ReadsTheTimesThreadsAndAddressSpaceBehindAnyProgramName) {
  Write("self/stat", kStat);
  Write("stat", "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n");
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(Read().cpu_seconds, 300 / ticks);
  EXPECT_DOUBLE_EQ(Read().start_time_seconds, 1700000000 + 1000 / ticks);
  EXPECT_EQ(Read().threads, 9);
  EXPECT_EQ(Read().virtual_bytes, 12345678);
}

TEST_F(ProcessUsageTest, ReadsResidentPagesAndDescriptors) {
  Write("self/statm", "5000 700 300 1 0 400 0\n");
  Write("self/limits", "Limit   Soft Limit   Hard Limit  Units\nMax open files            1024    4096     files\n");
  for (const char* descriptor : {"0", "1", "2"}) Write(std::string("self/fd/") + descriptor, "");
  EXPECT_EQ(Read().resident_bytes, 700 * sysconf(_SC_PAGESIZE));
  EXPECT_EQ(Read().max_descriptors, 1024);
  EXPECT_EQ(Read().open_descriptors, 3);
}

TEST_F(ProcessUsageTest, UnknownValuesAreZero) {
  Write("self/stat", "17 (cut");
  Write("self/limits", "Max open files            unlimited    unlimited     files\n");
  const ProcessUsage usage = Read();
  EXPECT_EQ(usage.cpu_seconds, 0);
  EXPECT_EQ(usage.start_time_seconds, 0);
  EXPECT_EQ(usage.resident_bytes, 0);
  EXPECT_EQ(usage.max_descriptors, 0);
  EXPECT_EQ(usage.open_descriptors, 0);
}

TEST(RealProcessUsageTest, ThisProcessHasThreadsMemoryAndDescriptors) {
  const ProcessUsage usage = ReadProcessUsage();
  EXPECT_GE(usage.threads, 1);
  EXPECT_GT(usage.resident_bytes, 0);
  EXPECT_GE(usage.virtual_bytes, usage.resident_bytes);
  EXPECT_GT(usage.open_descriptors, 0);
  EXPECT_GT(usage.start_time_seconds, 1e9);
}

}  // namespace
}  // namespace anybit::metrics
