#include "server/control_groups.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace anybit::server {
namespace {

// Version 1 writes "no limit" as the largest number of whole pages.
constexpr int64_t kNoMemoryLimit = int64_t{1} << 60;

struct Mount {
  std::string group;  // that stands at `path`, a path within the hierarchy
  std::string path;
  bool version_2 = false;
  std::string controllers;  // of version 1: "rw,cpu,cpuacct"
};

std::vector<std::string> ReadLines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string ReadFirstLine(const std::string& path) {
  const std::vector<std::string> lines = ReadLines(path);
  return lines.empty() ? "" : lines.front();
}

// proc(5): "36 35 98:0 /group /path rw,noatime master:1 - cgroup2 cgroup rw", with any number of fields before the
// dash.
std::vector<Mount> ReadMounts(const std::string& root) {
  std::vector<Mount> mounts;
  for (const std::string& line : ReadLines(root + "/proc/self/mountinfo")) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<std::string> where = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> what = absl::StrSplit(halves[1], ' ');
    if (where.size() < 5 || what.size() < 3 || !absl::StartsWith(what[0], "cgroup")) continue;
    mounts.push_back(
        {.group = where[3], .path = where[4], .version_2 = what[0] == "cgroup2", .controllers = what.back()});
  }
  return mounts;
}

// The process's group in the hierarchy of `controller`, "" for version 2's. cgroups(7): "4:memory:/group", "0::/group".
std::string ReadGroup(const std::string& root, absl::string_view controller) {
  for (const std::string& line : ReadLines(root + "/proc/self/cgroup")) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), controller) != controllers.end()) return fields[2];
  }
  return "/";
}

// The folders of the process's group and of those above it, as far as `mount` shows them.
std::vector<std::string> GroupFolders(const std::string& root, const Mount& mount, absl::string_view controller) {
  const std::string group = ReadGroup(root, mount.version_2 ? "" : controller);
  absl::string_view below = group;
  if (mount.group != "/" && !absl::ConsumePrefix(&below, mount.group)) below = "";
  const std::string top = root + mount.path;
  std::filesystem::path folder = absl::StrCat(top, absl::StartsWith(below, "/") ? "" : "/", below);
  std::error_code error;
  // A container may be told its group's name outside, where its mount shows the group itself.
  if (absl::StrContains(below, "..") || !std::filesystem::is_directory(folder, error)) folder = top;
  std::vector<std::string> folders;
  for (folder = folder.lexically_normal();; folder = folder.parent_path()) {
    folders.push_back(folder.string());
    if (folder.string().size() <= top.size()) return folders;
  }
}

template <typename Number>
void Lower(std::optional<Number>& limit, Number value) {
  limit = limit.has_value() ? std::min(*limit, value) : value;
}

void LowerMemory(const std::string& file, std::optional<int64_t>& limit) {
  int64_t bytes = 0;
  if (absl::SimpleAtoi(ReadFirstLine(file), &bytes) && bytes > 0 && bytes < kNoMemoryLimit) Lower(limit, bytes);
}

void LowerProcessors(absl::string_view quota_text, absl::string_view period_text, std::optional<double>& limit) {
  int64_t quota = 0, period = 0;
  if (absl::SimpleAtoi(quota_text, &quota) && absl::SimpleAtoi(period_text, &period) && quota > 0 && period > 0) {
    Lower(limit, static_cast<double>(quota) / static_cast<double>(period));
  }
}

bool HasController(const Mount& mount, absl::string_view controller) {
  const std::vector<std::string> controllers = absl::StrSplit(mount.controllers, ',');
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

}  // namespace

ControlGroupLimits ReadControlGroupLimits(const std::string& root) {
  ControlGroupLimits limits;
  for (const Mount& mount : ReadMounts(root)) {
    if (mount.version_2) {
      for (const std::string& folder : GroupFolders(root, mount, "")) {
        LowerMemory(folder + "/memory.max", limits.memory_bytes);
        LowerMemory(folder + "/memory.high", limits.memory_bytes);  // beyond it the kernel stalls the process
        const std::vector<std::string> fields = absl::StrSplit(ReadFirstLine(folder + "/cpu.max"), ' ');
        if (fields.size() == 2) LowerProcessors(fields[0], fields[1], limits.processors);
      }
      continue;
    }
    if (HasController(mount, "memory")) {
      for (const std::string& folder : GroupFolders(root, mount, "memory")) {
        LowerMemory(folder + "/memory.limit_in_bytes", limits.memory_bytes);
      }
    }
    if (HasController(mount, "cpu")) {
      for (const std::string& folder : GroupFolders(root, mount, "cpu")) {
        LowerProcessors(ReadFirstLine(folder + "/cpu.cfs_quota_us"), ReadFirstLine(folder + "/cpu.cfs_period_us"),
                        limits.processors);
      }
    }
  }
  return limits;
}

int64_t ResidentMemoryBytes(const std::string& root) {
  const std::vector<std::string> fields = absl::StrSplit(ReadFirstLine(root + "/proc/self/statm"), ' ');
  int64_t pages = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &pages)) return 0;
  return pages * sysconf(_SC_PAGESIZE);
}

int64_t UsableMemoryBytes(const std::string& root) {
  int64_t usable = std::numeric_limits<int64_t>::max();
  for (const std::string& line : ReadLines(root + "/proc/meminfo")) {
    absl::string_view rest = line;
    int64_t kilobytes = 0;
    if (absl::ConsumePrefix(&rest, "MemAvailable:") && absl::ConsumeSuffix(&rest, " kB") &&
        absl::SimpleAtoi(rest, &kilobytes)) {
      usable = kilobytes * 1024 + ResidentMemoryBytes(root);
    }
  }
  usable = std::min(usable, ReadControlGroupLimits(root).memory_bytes.value_or(usable));
  rlimit space{};
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur < static_cast<rlim_t>(usable)) {
    usable = static_cast<int64_t>(space.rlim_cur);
  }
  return usable;
}

}  // namespace anybit::server
