#include "metrics/process_usage.h"

#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace anybit::metrics {
namespace {

// Files of /proc have no size, so they are read to their end.
std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename Number>
Number NumberOr0(absl::string_view text) {
  Number number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

// The rest of the line that begins with `name`, without blanks at its ends.
std::string LineOf(const std::string& text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, name)) return std::string(absl::StripAsciiWhitespace(line));
  }
  return "";
}

// Fields of /proc/self/stat after the program's name, which stands in parentheses and may contain any character.
// proc(5) counts from 1 and has two fields before them.
enum StatField : size_t { kUserTicks = 11, kSystemTicks = 12, kThreads = 17, kStartTicks = 19, kVirtualBytes = 20 };

}  // namespace

ProcessUsage ReadProcessUsage(const std::string& root) {
  ProcessUsage usage;
  const std::string stat = ReadFile(root + "/proc/self/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string> fields =
        absl::StrSplit(absl::string_view(stat).substr(name_end + 1), ' ', absl::SkipEmpty());
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    if (fields.size() > kVirtualBytes) {
      const auto ticks = NumberOr0<int64_t>(fields[kUserTicks]) + NumberOr0<int64_t>(fields[kSystemTicks]);
      usage.cpu_seconds = static_cast<double>(ticks) / ticks_per_second;
      usage.threads = NumberOr0<int>(fields[kThreads]);
      usage.virtual_bytes = NumberOr0<int64_t>(fields[kVirtualBytes]);
      const auto boot = NumberOr0<int64_t>(LineOf(ReadFile(root + "/proc/stat"), "btime "));
      if (boot != 0) {
        usage.start_time_seconds =
            static_cast<double>(boot) + static_cast<double>(NumberOr0<int64_t>(fields[kStartTicks])) / ticks_per_second;
      }
    }
  }
  const std::vector<std::string> pages = absl::StrSplit(ReadFile(root + "/proc/self/statm"), ' ');
  if (pages.size() > 1) usage.resident_bytes = NumberOr0<int64_t>(pages[1]) * sysconf(_SC_PAGESIZE);
  const std::vector<std::string> limits =
      absl::StrSplit(LineOf(ReadFile(root + "/proc/self/limits"), "Max open files"), ' ', absl::SkipEmpty());
  if (!limits.empty()) usage.max_descriptors = NumberOr0<int64_t>(limits[0]);
  std::error_code error;
  for (std::filesystem::directory_iterator entry(root + "/proc/self/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++usage.open_descriptors;
  }
  return usage;
}

}  // namespace anybit::metrics
