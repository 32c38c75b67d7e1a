// Which GPU to use: a decision from plain facts, and one clear line where there is none to use.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_FIND_DEVICE_H_
#define ANYBIT_MODEL_ENGINE_CUDA_FIND_DEVICE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anybit::model::cuda {

// An architecture that kernels were compiled for. Code runs on later architectures of the same generation too (sm_80 on
// 8.9), unless it is for one alone (sm_90a).
struct Compiled {
  int architecture = 0;  // 10 * major + minor
  bool exact = false;
};

struct FoundDevice {
  std::string name;
  int architecture = 0;
};

// What a machine has, and what the program was built for.
struct Machine {
  int runtime_version = 0;   // of CUDA, as 1000 * major + 10 * minor
  int driver_version = 0;    // the highest version that the driver is for; 0: no driver
  std::string driver_error;  // why the devices could not be listed, if that is so
  std::vector<FoundDevice> devices;
  std::vector<Compiled> compiled;
};

// Whether code for one of `compiled` runs on `architecture`.
bool RunsOn(const std::vector<Compiled>& compiled, int architecture);

// FailedPrecondition, in one line that names what is missing, unless device `index` can be used.
absl::Status CheckDevice(const Machine& machine, int index);

// The first device that can be used; otherwise why the first, or all, cannot.
absl::StatusOr<int> FirstUsableDevice(const Machine& machine);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_FIND_DEVICE_H_
