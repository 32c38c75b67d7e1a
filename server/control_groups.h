// What the control groups of this process allow it, versions 1 and 2: containers set their limits there.
#ifndef ANYBIT_SERVER_CONTROL_GROUPS_H_
#define ANYBIT_SERVER_CONTROL_GROUPS_H_

#include <cstdint>
#include <optional>
#include <string>

namespace anybit::server {

struct ControlGroupLimits {
  std::optional<double> processors;     // processor time per time, such as 0.5; none: no quota
  std::optional<int64_t> memory_bytes;  // none: no limit

  friend bool operator==(const ControlGroupLimits&, const ControlGroupLimits&) = default;
};

// The tightest limits of the process's groups and all groups above them that it can see. A file that cannot be read or
// makes no sense limits nothing. `root` stands in front of every path, "" for the system's own.
ControlGroupLimits ReadControlGroupLimits(const std::string& root = "");

// The memory that this process may use: the least of its control groups' limit, its limit of address space, and what it
// has now plus what the machine has available. `root` as above.
int64_t UsableMemoryBytes(const std::string& root = "");

// What it has now in physical memory; 0 if the system does not tell.
int64_t ResidentMemoryBytes(const std::string& root = "");

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_CONTROL_GROUPS_H_
