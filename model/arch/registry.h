// Architectures by name, for --arch of the trainer and of engine_benchmark.
#ifndef ANYBIT_MODEL_ARCH_REGISTRY_H_
#define ANYBIT_MODEL_ARCH_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/network_spec.h"

namespace anybit::model {

// `text` is a name, or "NAME:OPTION=VALUE,OPTION=VALUE..." for data of another shape:
//   classes   2..65536
//   side      height and width of the input, 1..4096
//   channels  of the input, 1..4096
//   frames    of each clip, 1..256: then the network takes clips
//   width     times the channels of every layer, 1/64..16
// NotFound, listing the known names, for an unknown name; InvalidArgument for an option that is unknown, repeated or
// out of range, or whose network would break a rule of PlanNetwork. The spec has labels only if no option except width
// is given.
absl::StatusOr<NetworkSpec> ArchitectureByName(absl::string_view text);

std::vector<std::string> ArchitectureNames();

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_REGISTRY_H_
