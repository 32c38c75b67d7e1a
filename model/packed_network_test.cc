#include "model/packed_network.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/arch/basic_block_network.h"
#include "model/kernels/instruction_set.h"
#include "model/testing/random_artifact.h"
#include "model/testing/reference_network.h"

namespace anybit {
namespace {

constexpr int kFullPrecision = 0;
constexpr int kPoints = 6;

// Every node kind, with sizes that fit no block: odd channels, 7x7 kernels, stride 2 and 3, no padding, 1x1 maps.
NetworkSpec AwkwardNetwork() {
  NetworkSpec spec;
  spec.set_name("awkward");
  spec.mutable_input()->set_name("image");
  for (int extent : {14, 10, 3}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(5);
  const auto conv = [&](const char* name, std::vector<const char*> inputs, int channels, int kernel, int stride, int padding) {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    for (const char* input : inputs) node.add_inputs(input);
    node.mutable_conv()->set_out_channels(channels);
    node.mutable_conv()->set_kernel(kernel);
    node.mutable_conv()->set_stride(stride);
    node.mutable_conv()->set_padding(padding);
  };
  const auto add = [&](const char* name, const char* input) -> proto::Node& {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    node.add_inputs(input);
    return node;
  };
  conv("a", {"input"}, 7, 7, 1, 3);
  add("half", "a").mutable_max_pool()->set_size(2);  // 7x5x7
  conv("b", {"half"}, 7, 1, 1, 0);
  conv("c", {"b", "half"}, 7, 3, 1, 1);
  conv("d", {"c"}, 67, 3, 2, 1);                     // 4x3x67: more than one word of signs
  conv("e", {"d"}, 13, 2, 3, 0);                     // 1x1x13
  add("head", "e").mutable_linear()->set_out_features(5);
  return spec;
}

class PackedNetworkTest : public testing::TestWithParam<int> {};

std::unique_ptr<PackedNetwork> Pack(const Artifact& artifact, const KernelTable& kernels = *SupportedKernels().front()) {
  return *PackedNetwork::Create(artifact, kernels);
}

void ExpectEqualToReference(const Artifact& artifact, int point, int rows) {
  const auto network = Pack(artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, rows, 11);
  const int64_t inputs = network->description().input.elements, classes = network->description().output.elements;
  const LayerTrace trace = *network->Trace(point, images);
  std::vector<float> logits(rows * classes);
  ASSERT_TRUE(network->Run(point, images, logits, *network->MakeScratch(rows)).ok());
  for (int row = 0; row < rows; ++row) {
    std::vector<float> expected;
    const LayerTrace reference = ReferenceRun(artifact, point, std::span(images).subspan(row * inputs, inputs), expected);
    for (size_t i = 0; i < reference.size(); ++i) {
      const auto& codes = reference[i].codes;
      const std::vector<int32_t> got(trace[i].codes.begin() + row * codes.size(),
                                     trace[i].codes.begin() + (row + 1) * codes.size());
      ASSERT_EQ(got, codes) << "node " << reference[i].node << " row " << row;
      if (codes.size() > 30 && point == 1) {
        EXPECT_GT(std::set(codes.begin(), codes.end()).size(), 8u) << "the test's codes say little: " << reference[i].node;
      }
    }
    ASSERT_EQ(std::vector<float>(logits.begin() + row * classes, logits.begin() + (row + 1) * classes), expected);
  }
}

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeOfResidualBlocks) {
  ExpectEqualToReference(RandomArtifact(FashionNetwork(8), 1), GetParam(), 2);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeOfAwkwardShapes) {
  ExpectEqualToReference(RandomArtifact(AwkwardNetwork(), 2), GetParam(), 5);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceWithoutAConvolution) {
  NetworkSpec spec = AwkwardNetwork();
  const proto::Node head = spec.nodes(spec.nodes_size() - 1);
  spec.clear_nodes();
  *spec.add_nodes() = head;
  spec.mutable_nodes(0)->set_inputs(0, "input");
  ExpectEqualToReference(RandomArtifact(spec, 8), GetParam(), 3);

  proto::Node& pool = *spec.mutable_nodes(0);
  pool.set_name("pool");
  pool.mutable_global_pool();
  *spec.add_nodes() = head;
  spec.mutable_nodes(1)->set_inputs(0, "pool");
  ExpectEqualToReference(RandomArtifact(spec, 9), GetParam(), 3);
}

INSTANTIATE_TEST_SUITE_P(QuantizedPoints, PackedNetworkTest, testing::Range(1, kPoints));

TEST(PackedNetwork, ComputesTheFullPrecisionPointNearADoublePrecisionSum) {
  const Artifact artifact = RandomArtifact(AwkwardNetwork(), 3);
  const auto network = Pack(artifact);
  const std::vector<uint8_t> image = RandomImages(artifact, 1, 4);
  std::vector<float> logits(5);
  ASSERT_TRUE(network->Run(kFullPrecision, image, logits, *network->MakeScratch(1)).ok());

  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  std::vector<std::vector<double>> values(plan.nodes.size());
  const std::vector<double> input(image.begin(), image.end());
  const auto value = [&](int index) -> const std::vector<double>& { return index == kNetworkInput ? input : values[index]; };
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    const auto& x = value(node.input);
    values[n].assign(node.out.elements(), 0.0);
    for (int64_t i = 0; i < node.out.elements(); ++i) {
      const int64_t o = i % node.out.channels, px = i / node.out.channels % node.out.width,
                    py = i / node.out.channels / node.out.width;
      double& y = values[n][i];
      const int size = node.kind == NodeKind::kMaxPool ? node.pool : node.kernel;
      const int stride = node.kind == NodeKind::kMaxPool ? node.pool : node.stride;
      if (node.kind == NodeKind::kLinear) {
        for (int64_t d = 0; d < node.depth; ++d) y += x[d] * artifact.store[node.layer].full[o * node.depth + d];
      } else {
        for (int ky = 0; ky < size; ++ky) {
          for (int kx = 0; kx < size; ++kx) {
            const int64_t iy = py * stride + ky - node.padding, ix = px * stride + kx - node.padding;
            if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
            const double* pixel = x.data() + (iy * node.in.width + ix) * node.in.channels;
            if (node.kind == NodeKind::kMaxPool) {
              y = std::max(y, pixel[o]);
              continue;
            }
            for (int64_t c = 0; c < node.in.channels; ++c) {
              y += pixel[c] * artifact.store[node.layer].full[o * node.depth + (ky * node.kernel + kx) * node.in.channels + c];
            }
          }
        }
      }
      if (node.layer < 0) continue;
      const LayerEpilogue& layer = artifact.points[kFullPrecision].layers[node.layer];
      y = y * layer.scale[o] + layer.bias[o];
      if (node.has_residual) y += value(node.residual)[i] * layer.residual_scale;
      if (node.kind == NodeKind::kConv) y = std::max(y, 0.0);
    }
  }
  for (int o = 0; o < 5; ++o) EXPECT_NEAR(logits[o], values.back()[o], 1e-4 * (1 + std::abs(values.back()[o])));
}

TEST(PackedNetwork, GivesARowTheSameResultInAnyBatch) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 5);
  const auto network = Pack(artifact);
  constexpr int kRows = 9;
  const std::vector<uint8_t> images = RandomImages(artifact, kRows, 6);
  const auto scratch = network->MakeScratch(kRows);
  for (int point = 0; point < kPoints; ++point) {
    std::vector<float> together(kRows * 10), alone(10);
    ASSERT_TRUE(network->Run(point, images, together, *scratch).ok());
    for (int row = kRows - 1; row >= 0; --row) {
      ASSERT_TRUE(network->Run(point, std::span(images).subspan(row * 1024, 1024), alone, *scratch).ok());
      EXPECT_EQ(alone, std::vector<float>(together.begin() + row * 10, together.begin() + row * 10 + 10));
    }
  }
}

TEST(PackedNetwork, RefusesAChoiceThatIsNotExactAndKeepsWhatItHad) {
  const auto network = Pack(RandomArtifact(FashionNetwork(8), 12));
  const KernelChoices before = network->choices();
  LayerChoice layer = before.layers.front();
  layer.point = "w8a8";
  layer.algorithms.fill("direct_words");
  layer.algorithms.back() = "direct_signs";
  const absl::Status status = network->SetChoices({.isa = before.isa, .layers = {layer}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), absl::StrCat("kernel choice 'direct_signs' for point 'w8a8', layer '", layer.node,
                                                        "': not exact for these weights"));
  EXPECT_EQ(network->choices(), before);
}

TEST(PackedNetwork, RefusesSizesThatDoNotFit) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 7);
  const auto network = Pack(artifact);
  const auto scratch = network->MakeScratch(2);
  std::vector<uint8_t> images(3 * 1024);
  std::vector<float> logits(30);
  const auto run = [&](int point, size_t inputs, size_t outputs) {
    return std::string(
        network->Run(point, std::span(images).first(inputs), std::span(logits).first(outputs), *scratch).message());
  };
  EXPECT_EQ(run(6, 1024, 10), "operating point 6 of 6");
  EXPECT_EQ(run(-1, 1024, 10), "operating point -1 of 6");
  EXPECT_EQ(run(1, 1023, 10), "input of 1023 and output of 10 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 1024, 20), "input of 1024 and output of 20 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 0, 0), "input of 0 and output of 0 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 3072, 30), "batch of 3 exceeds the scratch's 2");
  EXPECT_EQ(run(1, 2048, 20), "");
}

}  // namespace
}  // namespace anybit
