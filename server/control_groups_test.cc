// Against trees of files as the kernel shows them, made in the test's folder.
#include "server/control_groups.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace anybit::server {
namespace {

// A root with these files, by path.
std::string Root(const std::map<std::string, std::string>& files) {
  static int made = 0;
  const std::string root = ::testing::TempDir() + "/root" + std::to_string(++made);
  for (const auto& [path, text] : files) {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  return root;
}

constexpr char kMountsVersion1[] =
    "24 1 0:21 / /proc rw,nosuid shared:12 - proc proc rw\n"
    "30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
constexpr char kMountsVersion2[] = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(ControlGroupsTest, VersionTwoHalfAProcessorAndHalfAGigabyte) {
  const std::string root = Root({{"/proc/self/mountinfo", kMountsVersion2},
                                 {"/proc/self/cgroup", "0::/pod/container\n"},
                                 {"/sys/fs/cgroup/pod/container/cpu.max", "50000 100000\n"},
                                 {"/sys/fs/cgroup/pod/container/memory.max", "536870912\n"},
                                 {"/sys/fs/cgroup/pod/container/memory.high", "max\n"}});
  EXPECT_EQ(ReadControlGroupLimits(root), (ControlGroupLimits{.processors = 0.5, .memory_bytes = 536870912}));
}

TEST(ControlGroupsTest, VersionOneHalfAProcessorAndHalfAGigabyte) {
  const std::string root = Root({{"/proc/self/mountinfo", kMountsVersion1},
                                 {"/proc/self/cgroup", "5:memory:/docker/a\n4:cpu,cpuacct:/docker/b\n1:name=x:/\n"},
                                 {"/sys/fs/cgroup/cpu,cpuacct/docker/b/cpu.cfs_quota_us", "25000\n"},
                                 {"/sys/fs/cgroup/cpu,cpuacct/docker/b/cpu.cfs_period_us", "50000\n"},
                                 {"/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "536870912\n"}});
  EXPECT_EQ(ReadControlGroupLimits(root), (ControlGroupLimits{.processors = 0.5, .memory_bytes = 536870912}));
}

TEST(ControlGroupsTest, AGroupAboveLimitsThoseBelowIt) {
  const std::string root = Root({{"/proc/self/mountinfo", kMountsVersion2},
                                 {"/proc/self/cgroup", "0::/pod/container\n"},
                                 {"/sys/fs/cgroup/pod/cpu.max", "150000 100000\n"},
                                 {"/sys/fs/cgroup/pod/memory.max", "max\n"},
                                 {"/sys/fs/cgroup/pod/memory.high", "1000000\n"},
                                 {"/sys/fs/cgroup/pod/container/cpu.max", "max 100000\n"},
                                 {"/sys/fs/cgroup/pod/container/memory.max", "2000000\n"}});
  EXPECT_EQ(ReadControlGroupLimits(root), (ControlGroupLimits{.processors = 1.5, .memory_bytes = 1000000}));
}

TEST(ControlGroupsTest, AContainerThatSeesItsGroupAsTheRootReadsItThere) {
  // Its own group namespace: the group is "/". Without one: a name that exists only outside.
  for (const char* group : {"0::/\n", "0::/kubepods/pod7/c9\n", "0::/../../elsewhere\n"}) {
    const std::string root = Root({{"/proc/self/mountinfo", kMountsVersion2},
                                   {"/proc/self/cgroup", group},
                                   {"/sys/fs/cgroup/cpu.max", "200000 100000\n"},
                                   {"/sys/fs/cgroup/memory.max", "4096000\n"}});
    EXPECT_EQ(ReadControlGroupLimits(root), (ControlGroupLimits{.processors = 2, .memory_bytes = 4096000})) << group;
  }
}

TEST(ControlGroupsTest, AMountOfAPartOfTheHierarchyShowsTheGroupBelowThatPart) {
  const std::string root =
      Root({{"/proc/self/mountinfo", "31 24 0:27 /docker/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"},
            {"/proc/self/cgroup", "5:memory:/docker/a/inner\n"},
            {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
            {"/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "8192\n"}});
  EXPECT_EQ(ReadControlGroupLimits(root).memory_bytes, 8192);
}

TEST(ControlGroupsTest, WithoutLimitsOrGroupsThereAreNone) {
  EXPECT_EQ(ReadControlGroupLimits(Root({{"/proc/self/mountinfo", kMountsVersion1},
                                         {"/proc/self/cgroup", "5:memory:/\n4:cpu,cpuacct:/\n"},
                                         {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
                                         {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"},
                                         {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}})),
            ControlGroupLimits());
  EXPECT_EQ(ReadControlGroupLimits(Root({{"/proc/self/cgroup", "nonsense"}})), ControlGroupLimits());
  EXPECT_EQ(ReadControlGroupLimits("/nonexistent"), ControlGroupLimits());
}

TEST(UsableMemoryTest, IsTheLeastOfWhatTheMachineHasAndTheGroupMayHave) {
  std::map<std::string, std::string> files = {
      {"/proc/meminfo", "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:    1000000 kB\n"},
      {"/proc/self/statm", "300000 0 500 1 0 2 0\n"}};
  EXPECT_EQ(UsableMemoryBytes(Root(files)), 1000000 * int64_t{1024});
  files["/proc/self/mountinfo"] = kMountsVersion2;
  files["/proc/self/cgroup"] = "0::/\n";
  files["/sys/fs/cgroup/memory.max"] = "536870912\n";
  EXPECT_EQ(UsableMemoryBytes(Root(files)), 536870912);
}

TEST(UsableMemoryTest, OfThisProcessIsMoreThanItHas) {
  EXPECT_GT(ResidentMemoryBytes(), 0);
  EXPECT_GT(UsableMemoryBytes(), ResidentMemoryBytes());
}

}  // namespace
}  // namespace anybit::server
