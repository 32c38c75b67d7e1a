// Architectures by name, for --arch of the trainer and of engine_benchmark.
#ifndef ANYBIT_MODEL_ARCH_REGISTRY_H_
#define ANYBIT_MODEL_ARCH_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/network_spec.h"

namespace anybit {

// NotFound, listing the known names, for an unknown one.
absl::StatusOr<NetworkSpec> ArchitectureByName(absl::string_view name);

std::vector<std::string> ArchitectureNames();

}  // namespace anybit

#endif  // ANYBIT_MODEL_ARCH_REGISTRY_H_
