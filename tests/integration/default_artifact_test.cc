// The committed default artifact keeps its word: on all 10,000 test images each operating point has exactly the
// accuracy that the artifact states. One test per point, so that they can run side by side.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "model/data/open_examples.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"

namespace anybit {
namespace {

constexpr char kArtifact[] = "model/default/fashion.safetensors";
constexpr char kData[] = "/usr/share/datasets/fashion-mnist";

class DefaultArtifact : public testing::TestWithParam<const char*> {};

TEST_P(DefaultArtifact, HasTheAccuracyItStates) {
  const absl::StatusOr<model::Artifact> artifact = model::ReadArtifact(kArtifact);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  const auto examples = model::OpenExamples(kData, model::Split::kTest, {.height = 32, .width = 32});
  ASSERT_TRUE(examples.ok()) << examples.status();
  const model::ExampleSet& images = **examples;
  const auto network = *model::PackedNetwork::Create(*artifact, *model::SupportedKernels().front());
  for (size_t p = 0; p < artifact->points.size(); ++p) {
    const model::ArtifactPoint& point = artifact->points[p];
    if (point.info.name != GetParam()) continue;
    EXPECT_EQ(point.accuracy_images, images.count());
    const double accuracy = *model::EvaluateTop1(*network, ToPointId(static_cast<int>(p)), images);
    const auto right = [&](double share) { return std::lround(share * static_cast<double>(images.count())); };
    EXPECT_EQ(right(accuracy), right(point.info.accuracy));
    return;
  }
  FAIL() << "the artifact has no point " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Ladder, DefaultArtifact, testing::Values("fp32", "w8a8", "w4a4f", "w3a2f", "w1a1"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anybit
