#include "model/train/search/layer_latency.h"

#include <chrono>

#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"
#include "model/train/search/measure_latency.h"

namespace anybit::model::train {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

Artifact TinyArtifact() { return RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1); }

// A clock that moves a microsecond with each look: every node of a run then takes exactly that long.
MonotonicClock Ticking(nanoseconds& time) {
  return [&time] { return time += microseconds(1); };
}

absl::StatusOr<LayerLatency> Measured(const MeasureLatencyOptions& options) {
  const Artifact artifact = TinyArtifact();
  nanoseconds time{};
  return MeasureLayerLatency(artifact, *FindRungs(artifact, {"w8a8", "w4a4f", "w1a1"}), *SupportedKernels().front(),
                             options, Ticking(time));
}

TEST(LayerLatencyTest, EveryPairOfALayersRungAndItsSourcesIsMeasured) {
  const LayerLatency latency = *Measured({.rows = {1, 2}});
  const NetworkPlan plan = *PlanNetwork(TinyArtifact().spec);
  const LayerTree tree = TreeOf(plan);
  ASSERT_EQ(latency.batches.size(), 2u);
  EXPECT_EQ(latency.batches[1].rows, 2);
  for (const BatchLatency& batch : latency.batches) {
    for (int layer = 0; layer < tree.layers(); ++layer) {
      // A pool's tick belongs to the layer that reads it first.
      int nodes = 1;
      for (int before = plan.layers[layer] - 1; before >= 0 && plan.nodes[before].layer < 0; --before) ++nodes;
      for (int own = 0; own < 3; ++own) {
        for (int input = 0; input < 3; ++input) {
          const bool occurs = !tree.tied[layer] || own == input;
          EXPECT_EQ(batch.layers[layer][own][input], occurs ? nodes : 0) << tree.names[layer];
        }
      }
    }
  }
}

TEST(LayerLatencyTest, SumsArePredictionsOfWholeRuns) {
  const LayerLatency latency = *Measured({.rows = {1}, .check_routes = 5});
  const BatchLatency& batch = latency.batches.front();
  ASSERT_EQ(batch.whole.size(), 8u);
  // A whole run takes one tick, its layers more: the base makes up for it.
  for (const RouteLatency& route : batch.whole) {
    EXPECT_EQ(route.measured_us, 1);
    EXPECT_NEAR(route.predicted_us, 1, 1e-9);
  }
  EXPECT_LT(batch.base_us, 0);
}

TEST(LayerLatencyTest, TextIsReadBack) {
  const LayerLatency latency = *Measured({.rows = {1, 2}, .check_routes = 2});
  const absl::StatusOr<LayerLatency> read = ParseLayerLatency(LayerLatencyJson(latency));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(LayerLatencyJson(*read), LayerLatencyJson(latency));
  EXPECT_EQ(read->rungs, latency.rungs);
  EXPECT_EQ(read->batches[1].layers, latency.batches[1].layers);
}

TEST(LayerLatencyTest, TextThatIsNoMeasurementIsRefused) {
  EXPECT_EQ(ParseLayerLatency("{}").status().message(), "latencies: no text 'network'");
  std::string text = LayerLatencyJson(*Measured({.rows = {1}}));
  text.replace(text.find("\"node\""), 6, "\"nods\"");
  EXPECT_EQ(ParseLayerLatency(text).status().message(), "latencies: no text 'node'");
}

TEST(LayerLatencyTest, RungsAreChosenByName) {
  const Artifact artifact = TinyArtifact();
  const LayerTree tree = TreeOf(*PlanNetwork(artifact.spec));
  LayerLatency latency = *Measured({.rows = {1}});
  latency.batches[0].layers[1][0][2] = 5;  // w8a8 weights on codes of w1a1
  latency.batches[0].layers[1][2][0] = 7;
  const BatchLatency chosen = *LatencyFor(latency, tree, *FindRungs(artifact, {"w1a1", "w8a8"}), 1);
  EXPECT_EQ(chosen.layers[1][1][0], 5);
  EXPECT_EQ(chosen.layers[1][0][1], 7);
  EXPECT_EQ(LatencyFor(latency, tree, *FindRungs(artifact, {"w8a8", "w3a2f"}), 1).status().message(),
            "latencies: no rung 'w3a2f'; measured: w8a8, w4a4f, w1a1");
  EXPECT_EQ(LatencyFor(latency, tree, *FindRungs(artifact, {"w8a8", "w1a1"}), 4).status().message(),
            "latencies: no batches of 4 rows; measured: 1");
}

TEST(LayerLatencyTest, PointsAreMeasuredAsWholesWithoutLayers) {
  const Artifact artifact = TinyArtifact();
  nanoseconds time{};
  const absl::StatusOr<LayerLatency> latency = MeasurePointLatency(
      artifact, *FindRungs(artifact, {}), *SupportedKernels().front(), {.rows = {1, 2}}, Ticking(time));
  ASSERT_TRUE(latency.ok()) << latency.status();
  ASSERT_EQ(latency->batches.size(), 2u);
  ASSERT_EQ(latency->batches[1].whole.size(), latency->rungs.size());
  EXPECT_TRUE(latency->batches[1].whole.front().route.starts_with("w8a8,w8a8,"));
  EXPECT_EQ(latency->batches[1].whole.front().measured_us, 1);
  EXPECT_EQ(LayerLatencyJson(*ParseLayerLatency(LayerLatencyJson(*latency))), LayerLatencyJson(*latency));
}

TEST(LayerLatencyTest, MeasurementsBeyondLimitsAreRefused) {
  EXPECT_EQ(Measured({.rows = {0}}).status().message(), "batch of 0 is outside 1..1024");
  EXPECT_EQ(Measured({.check_routes = 62}).status().message(), "62 routes to check are outside 0..61");
}

}  // namespace
}  // namespace anybit::model::train
