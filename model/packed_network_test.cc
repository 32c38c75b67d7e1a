#include "model/packed_network.h"

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/arch/basic_block_network.h"
#include "model/kernels/conv_layer.h"
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

// Every table that this machine runs, at every quantized point.
class PackedNetworkTest : public testing::TestWithParam<std::tuple<const KernelTable*, int>> {
 protected:
  const KernelTable& kernels() const { return *std::get<0>(GetParam()); }
  int point() const { return std::get<1>(GetParam()); }
};

std::unique_ptr<PackedNetwork> Pack(const Artifact& artifact, const KernelTable& kernels = *SupportedKernels().front(),
                                    const PackedNetworkOptions& options = {}) {
  return *PackedNetwork::Create(artifact, kernels, options);
}

std::vector<float> Logits(const PackedNetwork& network, int point, std::span<const uint8_t> images) {
  const int64_t rows = static_cast<int64_t>(images.size()) / network.description().input.elements;
  std::vector<float> logits(rows * network.description().output.elements);
  EXPECT_TRUE(network.Run(point, images, logits, *network.MakeScratch(static_cast<int>(rows))).ok());
  return logits;
}

void ExpectEqualToReference(const Artifact& artifact, const PackedNetwork& network, int point, int rows) {
  const std::vector<uint8_t> images = RandomImages(artifact, rows, 11);
  const int64_t inputs = network.description().input.elements, classes = network.description().output.elements;
  const LayerTrace trace = *network.Trace(point, images);
  const std::vector<float> logits = Logits(network, point, images);
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
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 1);
  ExpectEqualToReference(artifact, *Pack(artifact, kernels()), point(), 2);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeOfAwkwardShapes) {
  const Artifact artifact = RandomArtifact(AwkwardNetwork(), 2);
  ExpectEqualToReference(artifact, *Pack(artifact, kernels()), point(), 5);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceWithoutAConvolution) {
  NetworkSpec spec = AwkwardNetwork();
  const proto::Node head = spec.nodes(spec.nodes_size() - 1);
  spec.clear_nodes();
  *spec.add_nodes() = head;
  spec.mutable_nodes(0)->set_inputs(0, "input");
  const Artifact flat = RandomArtifact(spec, 8);
  ExpectEqualToReference(flat, *Pack(flat, kernels()), point(), 3);

  proto::Node& pool = *spec.mutable_nodes(0);
  pool.set_name("pool");
  pool.mutable_global_pool();
  *spec.add_nodes() = head;
  spec.mutable_nodes(1)->set_inputs(0, "pool");
  const Artifact pooled = RandomArtifact(spec, 9);
  ExpectEqualToReference(pooled, *Pack(pooled, kernels()), point(), 3);
}

TEST_P(PackedNetworkTest, GivesTheSameLogitsWithAnyNumberOfThreads) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 3);
  const auto alone = Pack(artifact, kernels());
  for (int threads : {2, 3, 7}) {
    const auto crew = Pack(artifact, kernels(), {.threads = threads});
    for (int rows : {1, 2, 5, 16}) {
      const std::vector<uint8_t> images = RandomImages(artifact, rows, 12);
      EXPECT_EQ(Logits(*crew, point(), images), Logits(*alone, point(), images)) << threads << " threads, " << rows << " rows";
    }
  }
}

// Whatever is chosen for a layer: all choices give the same codes.
TEST_P(PackedNetworkTest, GivesTheSameLogitsWithAnyChoiceOfKernels) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 4);
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 13);
  const auto guessed = Pack(artifact, kernels());
  const std::vector<float> expected = Logits(*guessed, point(), images);
  std::set<std::string> used;
  for (int a = 0; a < kConvAlgorithms; ++a) {
    const auto network = Pack(artifact, kernels());
    KernelChoices choices = guessed->choices();
    for (LayerChoice& layer : choices.layers) layer.algorithms.fill(NameOf(static_cast<ConvAlgorithm>(a)));
    ASSERT_TRUE(network->SetChoices(choices).ok());
    EXPECT_EQ(Logits(*network, point(), images), expected) << NameOf(static_cast<ConvAlgorithm>(a));
    for (const LayerChoice& layer : network->choices().layers) used.insert(layer.algorithms[0]);  // of this point
  }
  EXPECT_TRUE(used.contains("direct_words") && used.contains("winograd_words_4x4")) << "choices were not used";
}

INSTANTIATE_TEST_SUITE_P(All, PackedNetworkTest,
                         testing::Combine(testing::ValuesIn(SupportedKernels()), testing::Range(1, kPoints)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param)->name, "_", std::get<1>(info.param));
                         });

// A clock that only its reader moves: every look is a microsecond later.
std::function<int64_t()> TickingClock() {
  return [now = int64_t{0}]() mutable { return now += 1000; };
}

TEST(KernelChoices, AreMeasuredForEveryConvolutionAndSizeUpToTheLargest) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(4, int64_t{1} << 40, TickingClock());
  const KernelChoices choices = network->choices();
  EXPECT_EQ(choices.isa, SupportedKernels().front()->name);
  EXPECT_EQ(choices.layers.size(), 9u * artifact.points.size());
  for (const LayerChoice& layer : choices.layers) {
    for (const std::string& name : layer.algorithms) EXPECT_TRUE(ConvAlgorithmByName(name).has_value()) << layer.node << name;
    EXPECT_EQ(layer.algorithms[3], layer.algorithms[2]) << "8 rows follow 4, the largest that was measured";
    EXPECT_EQ(layer.algorithms[4], layer.algorithms[2]);
  }
}

TEST(KernelChoices, KeepWhatTheyWereWhereTheBudgetEnds) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(16, 0, TickingClock());
  EXPECT_TRUE(network->choices().layers.empty()) << "without a budget nothing is measured";
  // Enough for the first point's first round, and no more.
  network->MeasureChoices(16, 30'000, TickingClock());
  EXPECT_EQ(network->choices().layers.size(), 9u);
  for (const LayerChoice& layer : network->choices().layers) EXPECT_EQ(layer.point, artifact.points[0].info.name);
}

TEST(KernelChoices, ReturnToANetworkAsTheyLeftOne) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto measured = Pack(artifact), other = Pack(artifact);
  measured->MeasureChoices(16, int64_t{1} << 40, TickingClock());
  ASSERT_TRUE(other->SetChoices(measured->choices()).ok());
  EXPECT_EQ(other->choices(), measured->choices());
}

TEST(KernelChoices, ThatFitAnotherNetworkOrMachineAreRefusedAndChangeNothing) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(1, int64_t{1} << 40, TickingClock());
  const KernelChoices before = network->choices();
  const auto refusal = [&](const std::function<void(KernelChoices&)>& spoil) {
    KernelChoices choices = before;
    for (LayerChoice& layer : choices.layers) layer.algorithms.fill("direct_words");
    spoil(choices);
    const absl::Status status = network->SetChoices(choices);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(network->choices(), before);
    return std::string(status.message());
  };
  EXPECT_EQ(refusal([](KernelChoices& c) { c.isa = "neon"; }),
            absl::StrCat("kernel choices are for instruction set 'neon', not '", before.isa, "'"));
  EXPECT_EQ(refusal([](KernelChoices& c) { c.layers.back().point = "w9a9"; }),
            "kernel choice for point 'w9a9', layer 'stage3.block1.conv2': no such convolution");
  EXPECT_EQ(refusal([](KernelChoices& c) { c.layers.back().node = "head"; }),
            absl::StrCat("kernel choice for point '", before.layers.back().point, "', layer 'head': no such convolution"));
  EXPECT_EQ(refusal([](KernelChoices& c) { c.layers.back().algorithms[4] = "im2col"; }),
            absl::StrCat("kernel choice 'im2col' for point '", before.layers.back().point,
                         "', layer 'stage3.block1.conv2': no such algorithm"));
}

TEST(Panels, AreMadeWhenAPointIsFirstUsedAndDroppedOverBudget) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 5);
  const std::vector<uint8_t> images = RandomImages(artifact, 1, 6);
  const auto roomy = Pack(artifact);
  EXPECT_EQ(roomy->panel_bytes(), 0);
  std::vector<std::vector<float>> expected;
  std::vector<int64_t> bytes;  // of each point
  for (int point = 0; point < kPoints; ++point) {
    const int64_t before = roomy->panel_bytes();
    expected.push_back(Logits(*roomy, point, images));
    bytes.push_back(roomy->panel_bytes() - before);
    EXPECT_GT(bytes.back(), 0);
    EXPECT_EQ(Logits(*roomy, point, images), expected.back());
    EXPECT_EQ(roomy->panel_bytes(), before + bytes.back()) << "panels were made twice";
  }

  // Room for point 1 and one of 2 and 3.
  const int64_t budget = bytes[1] + std::max(bytes[2], bytes[3]);
  const auto narrow = Pack(artifact, *SupportedKernels().front(), {.panel_budget = budget});
  Logits(*narrow, 1, images);
  Logits(*narrow, 2, images);
  EXPECT_EQ(narrow->panel_bytes(), bytes[1] + bytes[2]);
  Logits(*narrow, 1, images);
  Logits(*narrow, 3, images);
  EXPECT_EQ(narrow->panel_bytes(), bytes[1] + bytes[3]) << "2, whose use is longest ago, was to be dropped";
  for (int point = kPoints - 1; point >= 0; --point) EXPECT_EQ(Logits(*narrow, point, images), expected[point]);

  const auto none = Pack(artifact, *SupportedKernels().front(), {.panel_budget = 0});
  for (int point = 0; point < kPoints; ++point) {
    EXPECT_EQ(Logits(*none, point, images), expected[point]);
    EXPECT_EQ(none->panel_bytes(), bytes[point]) << "one point's panels stay";
  }
}

TEST(PackedNetwork, RefusesOptionsOutsideTheirLimits) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 5);
  const auto refusal = [&](const PackedNetworkOptions& options) {
    return std::string(PackedNetwork::Create(artifact, PortableKernels(), options).status().message());
  };
  EXPECT_EQ(refusal({.threads = 0}), "threads of a run: 0 is not from 1 to 64");
  EXPECT_EQ(refusal({.threads = 65}), "threads of a run: 65 is not from 1 to 64");
  EXPECT_EQ(refusal({.panel_budget = -1}), "panel budget of -1 bytes is negative");
}

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
