// What this process uses of the machine, by /proc.
#ifndef ANYBIT_METRICS_PROCESS_USAGE_H_
#define ANYBIT_METRICS_PROCESS_USAGE_H_

#include <cstdint>
#include <string>

namespace anybit::metrics {

// What is not known is 0.
struct ProcessUsage {
  double cpu_seconds = 0;         // user and system
  double start_time_seconds = 0;  // since 1970
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int threads = 0;
  int open_descriptors = 0;
  int64_t max_descriptors = 0;  // the soft limit; 0 where there is none
};

// Reads `root`/proc; `root` is for tests. Takes a microsecond for each open descriptor.
ProcessUsage ReadProcessUsage(const std::string& root = "");

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_PROCESS_USAGE_H_
