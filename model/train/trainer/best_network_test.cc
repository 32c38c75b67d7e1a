#include "model/train/trainer/best_network.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

NamedTensors Network(float value) { return {{"network.w", torch::full({2, 3}, value)}}; }

float ValueOfBest(const BestNetwork& best) {
  const NamedTensors network = Network(0);
  best.CopyInto(network);
  return network[0].second[1][2].item<float>();
}

TEST(CorrectAnswers, CountsThoseOfAllPointsOrOfOne) {
  Artifact artifact;
  for (const auto& [name, accuracy] : {std::pair("fp32", 0.91), std::pair("w1a1", 0.333)}) {
    ArtifactPoint& point = artifact.points.emplace_back();
    point.info.name = name;
    point.info.accuracy = accuracy;
    point.accuracy_images = 1000;
  }
  EXPECT_EQ(CorrectAnswers(artifact, "mean"), 1243);
  EXPECT_EQ(CorrectAnswers(artifact, "fp32"), 910);
  EXPECT_EQ(CorrectAnswers(artifact, "w1a1"), 333);
}

TEST(BestNetwork, IsTheEarlierOfEqualOnes) {
  BestNetwork best(Network(0));
  EXPECT_EQ(best.step(), 0);
  EXPECT_TRUE(best.Offer(10, 0, Network(1)));
  EXPECT_EQ(best.step(), 10);
  EXPECT_TRUE(best.Offer(20, 50, Network(2)));
  EXPECT_FALSE(best.Offer(30, 50, Network(3)));
  EXPECT_FALSE(best.Offer(40, 49, Network(4)));
  EXPECT_EQ(best.step(), 20);
  EXPECT_EQ(ValueOfBest(best), 2);
  EXPECT_TRUE(best.Offer(123'456'789'012, 51, Network(5)));
  EXPECT_EQ(best.step(), 123'456'789'012);
  EXPECT_EQ(ValueOfBest(best), 5);
}

TEST(BestNetwork, KeepsACopy) {
  BestNetwork best(Network(0));
  const NamedTensors network = Network(1);
  best.Offer(1, 1, network);
  network[0].second.fill_(7);
  EXPECT_EQ(ValueOfBest(best), 1);
}

TEST(BestNetwork, GoesOnFromItsState) {
  BestNetwork saved(Network(0)), resumed(Network(0));
  saved.Offer(2'500'000, 50, Network(1));
  CopyTensors(saved.State(), resumed.State());
  EXPECT_EQ(resumed.step(), 2'500'000);
  EXPECT_EQ(ValueOfBest(resumed), 1);
  EXPECT_FALSE(resumed.Offer(3'000'000, 50, Network(2)));
}

}  // namespace
}  // namespace anybit::model::train
