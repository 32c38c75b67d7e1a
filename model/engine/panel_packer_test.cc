#include "model/engine/panel_packer.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

std::set<std::string> NamesOf(const std::vector<KernelCandidate>& candidates) {
  std::set<std::string> names;
  for (const KernelCandidate& candidate : candidates) names.insert(NameOf(candidate.algorithm));
  return names;
}

// So a cheaper point need never be slower than a dearer one: it may run with the same kernels.
TEST(PanelPackerTest, OffersToEveryPointWhatItOffersToDearerOnes) {
  for (const char* arch : {"fashion_tiny", "resnet20", "mobilenetv2"}) {
    const Artifact artifact = RandomArtifact(*ArchitectureByName(arch), 3);
    const NetworkPlan plan = *PlanNetwork(artifact.spec);
    const ActivationPlan activations = PlanActivations(plan);
    for (const KernelTable* kernels : SupportedKernels()) {
      const PanelPacker packer(artifact, plan, activations, *kernels);
      // w8a8, w4a4f, w3a2f, w1a1.
      PointCandidates dearer = packer.PackCandidates(ToPointId(1));
      for (int point = 2; point <= 4; ++point) {
        PointCandidates cheaper = packer.PackCandidates(ToPointId(point));
        for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
          const std::set<std::string> here = NamesOf(cheaper.layers[layer]), there = NamesOf(dearer.layers[layer]);
          EXPECT_TRUE(std::includes(here.begin(), here.end(), there.begin(), there.end()))
              << arch << ", " << kernels->name << ", " << artifact.points[point].info.name << ", "
              << plan.layer(static_cast<int>(layer)).name;
        }
        dearer = std::move(cheaper);
      }
    }
  }
}

}  // namespace
}  // namespace anybit::model
