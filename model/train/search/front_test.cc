#include "model/train/search/front.h"

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

class FrontTest : public testing::Test {
 protected:
  FrontTest() {
    artifact_.points[2].info.name = "greedy12";
    latency_.rungs = {"greedy12", "w8a8", "w1a1"};
    latency_.batches.push_back({.rows = 16});
    for (const double us : {15.0, 20.0, 10.0}) {
      latency_.batches[0].whole.push_back({.route = "", .measured_us = us, .predicted_us = us});
    }
  }

  absl::StatusOr<SearchReport> Front(const std::vector<std::string>& uniform, int rows = 16) const {
    std::vector<uint16_t> labels(40);
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<uint16_t>(i % 10);
    const MemoryExamples test({.height = 8, .width = 8}, labels, RandomImages(artifact_, 40, 2));
    return FrontOf(artifact_, latency_, rows, uniform, test, *SupportedKernels().front(), 1);
  }

  Artifact artifact_ = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  LayerLatency latency_ = {.network = "n", .isa = "i", .processor = {}, .rungs = {}, .layers = {}};
};

TEST_F(FrontTest, UniformPointsComeFirstAndTheOthersAreOfTheMethodOfTheirName) {
  const absl::StatusOr<SearchReport> report = Front({"w1a1", "w8a8"});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->points.size(), 3u);
  EXPECT_EQ(report->points[0].name, "w8a8");
  EXPECT_EQ(report->points[0].cost, 20);
  EXPECT_FALSE(report->points[0].budget.has_value());
  EXPECT_EQ(report->points[2].name, "greedy12");
  EXPECT_EQ(report->points[2].method, "greedy");
  EXPECT_EQ(report->points[2].cost, 15);
  EXPECT_EQ(report->points[2].right.size(), 40u);
  const double mean = (*report->points[0].test + *report->points[1].test) / 2;
  EXPECT_NEAR(MarginOf(*report, report->points[2])->above,
              *report->points[2].test - std::max(mean, *report->points[1].test), 1e-12);
}

TEST_F(FrontTest, WhatIsMissingIsNamed) {
  EXPECT_EQ(Front({"w4a4f"}).status().message(), "no latency of uniform point 'w4a4f'; measured: greedy12, w8a8, w1a1");
  EXPECT_EQ(Front({"w8a8"}, 4).status().message(), "latencies: no whole runs of 4 rows");
}

}  // namespace
}  // namespace anybit::model::train
