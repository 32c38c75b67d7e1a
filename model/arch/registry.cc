#include "model/arch/registry.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/arch/basic_block_network.h"

namespace anybit {
namespace {

struct Architecture {
  const char* name;
  NetworkSpec (*make)();
};

constexpr Architecture kArchitectures[] = {
    {"fashion", [] { return FashionNetwork(1); }},
    {"fashion_tiny", [] { return FashionNetwork(8); }},
    {"resnet18", ResNet18},
    {"resnet20", ResNet20},
};

}  // namespace

std::vector<std::string> ArchitectureNames() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures) names.push_back(architecture.name);
  return names;
}

absl::StatusOr<NetworkSpec> ArchitectureByName(absl::string_view name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return architecture.make();
  }
  return absl::NotFoundError(
      absl::StrCat("no architecture '", name, "'; known: ", absl::StrJoin(ArchitectureNames(), ", ")));
}

}  // namespace anybit
