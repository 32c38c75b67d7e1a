// No batch allocates, whatever algorithms it runs with: once a point's panels are packed, operator new is not called.
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/engine/kernel_choices.h"
#include "model/engine/packed_network.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/testing/modelled_amx.h"
#include "model/testing/allocation_count.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

constexpr int kMaxRows = 5;

const Artifact& SmallArtifact() {
  static const auto* const kArtifact = new Artifact(RandomArtifact(FashionNetwork(4), 1));
  return *kArtifact;
}

// What this machine runs, and AMX on a model.
std::vector<const KernelTable*> TestedKernels() {
  std::vector<const KernelTable*> tables = SupportedKernels();
  for (const KernelTable* table : ModelledAmxTables()) tables.push_back(table);
  return tables;
}

std::unique_ptr<PackedNetwork> Pack(const KernelTable& kernels, int threads) {
  return *PackedNetwork::Create(SmallArtifact(), kernels, {.threads = threads});
}

// Allocations of one batch of each size at each point, after another of each, which may allocate.
int64_t AllocationsOfASecondRound(const PackedNetwork& network) {
  const std::vector<uint8_t> images = RandomImages(SmallArtifact(), kMaxRows, 2);
  const NetworkDescription& description = network.description();
  std::vector<float> logits(kMaxRows * description.output.elements);
  const auto scratch = network.MakeScratch(kMaxRows);
  int64_t before = 0;
  for (int round = 0; round < 2; ++round) {
    before = AllocationsOfProcess();
    for (int point = 0; point < static_cast<int>(description.points.size()); ++point) {
      for (int rows = 1; rows <= kMaxRows; ++rows) {
        const absl::Status status =
            network.Run(ToPointId(point), std::span(images).first(rows * description.input.elements),
                        std::span(logits).first(rows * description.output.elements), *scratch);
        if (!status.ok()) ADD_FAILURE() << "point " << point << ", rows " << rows;
      }
    }
  }
  return AllocationsOfProcess() - before;
}

TEST(PackedNetworkAllocation, OfTheFirstRoundIsCounted) {
  const auto network = Pack(*SupportedKernels().front(), 1);
  const int64_t before = AllocationsOfProcess();
  AllocationsOfASecondRound(*network);
  EXPECT_GT(AllocationsOfProcess() - before, 10) << "whatever allocates, this count would not see it";
}

TEST(PackedNetworkAllocation, NeverHappensInASteadyState) {
  for (const KernelTable* kernels : TestedKernels()) {
    for (int threads : {1, 2}) {
      EXPECT_EQ(AllocationsOfASecondRound(*Pack(*kernels, threads)), 0) << kernels->name << ", threads " << threads;
    }
  }
}

TEST(PackedNetworkAllocation, NeverHappensWithAnyAlgorithm) {
  for (const KernelTable* kernels : TestedKernels()) {
    const auto guessing = Pack(*kernels, 1);
    AllocationsOfASecondRound(*guessing);  // after which it has a choice for each layer and point
    std::set<std::string> used;
    for (const ConvAlgorithm& each : AllConvAlgorithms()) {
      const std::string algorithm = NameOf(each);
      const auto network = Pack(*kernels, 1);
      KernelChoices choices = guessing->choices();
      for (LayerChoice& layer : choices.layers) layer.algorithms.fill(algorithm);
      ASSERT_TRUE(network->SetChoices(choices).ok());
      EXPECT_EQ(AllocationsOfASecondRound(*network), 0) << kernels->name << ", " << algorithm;
      // Layers that cannot run with it ran with another algorithm.
      for (const LayerChoice& layer : network->choices().layers) used.insert(layer.algorithms[0]);
    }
    EXPECT_GE(used.size(), 5u) << kernels->name << " ran fewer algorithms than this test is for";
  }
}

}  // namespace
}  // namespace anybit::model
