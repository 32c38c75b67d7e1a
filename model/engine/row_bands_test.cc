#include "model/engine/row_bands.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"
#include "model/testing/gated_network.h"

namespace anybit::model {
namespace {

// What lies in each row of a buffer or of a map: the number of the row that was computed there, or these.
constexpr int64_t kZeros = -1, kNothing = -2;

// Carries out the steps of bands on row numbers, and checks that each node finds the rows that it reads.
class RowNumbers {
 public:
  RowNumbers(const NetworkPlan& plan, const ActivationPlan& activations, const RowBands& bands)
      : plan_(plan), activations_(activations), bands_(bands) {
    for (int node = bands.first; node < bands.end; ++node) {
      const FeatureMap& map = activations.maps[node];
      const bool held = bands.Holds(node);
      rows_.emplace_back(held ? bands.buffer_rows[node - bands.first] : map.before + map.height + map.after,
                         held ? kNothing : kZeros);
    }
  }

  void Run() {
    for (const BandStep& step : bands_.steps) Take(step);
  }

  // The rows of the last node's map.
  std::vector<int64_t> last() const {
    const FeatureMap& map = activations_.maps[bands_.end - 1];
    return {rows_.back().begin() + map.before, rows_.back().begin() + map.before + map.height};
  }

 private:
  void Take(const BandStep& step) {
    const PlannedNode& node = plan_.nodes[step.node];
    std::vector<int64_t>& out = rows_[step.node - bands_.first];
    const std::vector<int64_t> before = out;
    for (int64_t i = 0; i < step.move_rows; ++i) out.at(i) = before.at(step.move_from + i);
    for (int64_t i = 0; i < step.zero_rows; ++i) out.at(step.zero_from + i) = kZeros;
    const int64_t window = node.kind == NodeKind::kMaxPool ? node.pool : node.kernel;
    for (int64_t y = step.rows.first; y < step.rows.first + step.rows.count; ++y) {
      for (int64_t dy = 0; dy < window; ++dy)
        Expect(node.input, y * node.stride - node.padding + dy, step.rows.in_base);
      if (node.has_residual) Expect(node.residual, y, step.rows.residual_base);
      out.at(y + activations_.maps[step.node].before - step.rows.out_base) = y;
    }
  }

  void Expect(int tensor, int64_t y, int64_t base) const {
    if (tensor < bands_.first) return;
    const FeatureMap& map = activations_.maps[tensor];
    const bool in_map = y >= 0 && y < map.height;
    EXPECT_EQ(rows_[tensor - bands_.first].at(y + map.before - base), in_map ? y : kZeros)
        << plan_.nodes[tensor].name << " row " << y;
  }

  const NetworkPlan& plan_;
  const ActivationPlan& activations_;
  const RowBands& bands_;
  std::vector<std::vector<int64_t>> rows_;  // by node of the bands
};

struct Planned {
  explicit Planned(const NetworkSpec& spec) : plan(*PlanNetwork(spec)), activations(PlanActivations(plan)) {}

  // All bands of the network, each behind the one before it.
  std::vector<RowBands> Bands(int64_t large, int64_t near) const {
    std::vector<RowBands> all;
    for (int node = 0; node < static_cast<int>(plan.nodes.size());) {
      const std::optional<RowBands> bands = BandsFrom(plan, activations, node, 1, large, near);
      if (bands.has_value()) all.push_back(*bands);
      node = bands.has_value() ? bands->end : node + 1;
    }
    return all;
  }

  NetworkPlan plan;
  ActivationPlan activations;
};

std::vector<Planned> Networks() {
  std::vector<Planned> networks;
  networks.emplace_back(FashionNetwork());
  for (const char* name : {"resnet50_imagenet", "mobilenetv2_imagenet"}) {
    networks.emplace_back(*ArchitectureByName(name));
  }
  return networks;
}

TEST(RowBands, TakeNoNodeWhoseMapIsFinishedAsAWhole) {
  const Planned network(GatedNetwork());
  int refused = 0;
  for (const int value_bytes : {1, 4}) {
    for (int first = 0; first < static_cast<int>(network.plan.nodes.size()); ++first) {
      const std::optional<RowBands> bands =
          BandsFrom(network.plan, network.activations, first, value_bytes, 0, int64_t{1} << 30);
      for (int index = first; bands.has_value() && index < bands->end; ++index) {
        const PlannedNode& node = network.plan.nodes[index];
        const FeatureMap& map = network.activations.maps[index];
        EXPECT_NE(node.kind, NodeKind::kGate) << node.name;
        EXPECT_FALSE(node.activation.is_tabled()) << node.name;
        EXPECT_FALSE(value_bytes == 4 && !node.activation.is_none()) << node.name;
        EXPECT_FALSE(value_bytes == 1 && node.has_zero && map.before + map.after > 0) << node.name;
      }
      refused += !bands.has_value();
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(RowBands, HaveTheRowsThatEachNodeReads) {
  int found = 0;
  for (const Planned& network : Networks()) {
    for (const int64_t near : {40'000, 200'000, 700'000, 5'000'000}) {
      for (const RowBands& bands : network.Bands(near / 2, near)) {
        ++found;
        RowNumbers rows(network.plan, network.activations, bands);
        rows.Run();
        rows.Run();  // of the next image
        std::vector<int64_t> all(network.activations.maps[bands.end - 1].height);
        for (size_t y = 0; y < all.size(); ++y) all[y] = static_cast<int64_t>(y);
        EXPECT_EQ(rows.last(), all);
      }
    }
  }
  EXPECT_GT(found, 20);
}

TEST(RowBands, ComputeEachRowOnce) {
  for (const Planned& network : Networks()) {
    for (const RowBands& bands : network.Bands(200'000, 400'000)) {
      std::vector<int64_t> done(network.plan.nodes.size());
      for (const BandStep& step : bands.steps) {
        EXPECT_EQ(step.rows.first, done[step.node]);
        done[step.node] += step.rows.count;
      }
      for (int node = bands.first; node < bands.end; ++node) {
        EXPECT_LE(done[node], network.activations.maps[node].height);
      }
    }
  }
}

TEST(RowBands, TakeNoMoreThanIsNear) {
  for (const Planned& network : Networks()) {
    for (const int64_t near : {40'000, 200'000}) {
      for (const RowBands& bands : network.Bands(near, near)) {
        int64_t weights = 0;
        for (int node = bands.first; node < bands.end; ++node) weights += network.plan.nodes[node].weights();
        EXPECT_LE(weights, near);
        EXPECT_LE(BufferBytes(bands, network.activations, 1), near);
      }
    }
  }
}

TEST(RowBands, HoldOnlyWhatNoOtherNodeReads) {
  for (const Planned& network : Networks()) {
    for (const RowBands& bands : network.Bands(100'000, 700'000)) {
      for (size_t reader = bands.end; reader < network.plan.nodes.size(); ++reader) {
        const PlannedNode& node = network.plan.nodes[reader];
        EXPECT_FALSE(bands.Holds(node.input)) << node.name;
        EXPECT_FALSE(node.has_residual && bands.Holds(node.residual)) << node.name;
      }
    }
  }
}

TEST(RowBands, WriteNoMapThatTheyStillRead) {
  for (const Planned& network : Networks()) {
    for (const RowBands& bands : network.Bands(100'000, 700'000)) {
      for (int index = bands.first; index < bands.end; ++index) {
        const PlannedNode& node = network.plan.nodes[index];
        for (const int tensor : {node.input, node.has_residual ? node.residual : kNetworkInput}) {
          if (tensor == kNetworkInput || tensor >= bands.first) continue;
          EXPECT_NE(network.activations.buffers[tensor], network.activations.buffers[bands.end - 1]) << node.name;
        }
      }
    }
  }
}

TEST(RowBands, AreNotForMapsThatStayNear) {
  for (const Planned& network : Networks()) EXPECT_TRUE(network.Bands(int64_t{1} << 40, int64_t{1} << 40).empty());
}

}  // namespace
}  // namespace anybit::model
