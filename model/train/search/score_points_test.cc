#include "model/train/search/score_points.h"

#include <cmath>

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

TEST(ScorePointsTest, LossDoesNotDependOnTheScaleOfTheLogits) {
  const std::vector<float> logits = {3, 1, 0, 2, 0, 2, 0, 1};
  const std::vector<float> sure = {30, 10, 0, 20, 0, 20, 0, 10};
  const std::vector<int> labels = {0, 1, 1, 0};  // the last answer is wrong
  EXPECT_NEAR(CalibratedLoss(logits, labels), CalibratedLoss(sure, labels), 1e-6);
}

TEST(ScorePointsTest, LossIsThatOfTheBestTemperature) {
  // One of four answers is wrong, by as much as the others are right: the best share for the answer is three quarters.
  const std::vector<float> logits = {5, 0, 5, 0, 5, 0, 5, 0};
  const std::vector<int> labels = {0, 0, 0, 1};
  EXPECT_NEAR(CalibratedLoss(logits, labels), -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-6);
}

TEST(ScorePointsTest, AccuracyIsThatOfTheEngine) {
  const Artifact artifact = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  std::vector<uint16_t> labels(130);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<uint16_t>(i % 10);
  const MemoryExamples rows({.height = 8, .width = 8}, labels, RandomImages(artifact, 130, 2));
  const KernelTable& kernels = *SupportedKernels().front();
  const std::vector<Score> scores = *ScorePoints(artifact, {artifact.points[1], artifact.points[3]}, rows, kernels, 2);
  const auto network = *PackedNetwork::Create(artifact, kernels);
  EXPECT_EQ(scores[0].accuracy, *EvaluateTop1(*network, ToPointId(1), rows));
  EXPECT_EQ(scores[1].accuracy, *EvaluateTop1(*network, ToPointId(3), rows));
  EXPECT_EQ(std::count(scores[0].right.begin(), scores[0].right.end(), true), std::lround(130 * scores[0].accuracy));
}

TEST(ScorePointsTest, RowsThatDoNotFitTheNetworkAreRefused) {
  const Artifact artifact = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  const MemoryExamples rows({.height = 2, .width = 2}, {0}, std::vector<uint8_t>(4));
  EXPECT_EQ(ScorePoints(artifact, {artifact.points[1]}, rows, *SupportedKernels().front(), 1).status().message(),
            "rows of 4 codes for a network that reads 64");
}

}  // namespace
}  // namespace anybit::model::train
