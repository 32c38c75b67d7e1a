#include "model/engine/packed_network.h"

#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/arch/basic_block_network.h"
#include "model/arch/registry.h"
#include "model/format/bfloat16.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/testing/modelled_amx.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"
#include "model/testing/reference_network.h"

namespace anybit::model {
namespace {

constexpr int kFullPrecision = 0;
constexpr int kPoints = 6;  // of RandomArtifact

// Every node kind, with sizes that fit no block: odd channels, 7x7 kernels, stride 2 and 3, no padding, 1x1 maps.
NetworkSpec AwkwardNetwork() {
  NetworkSpec spec;
  spec.set_name("awkward");
  spec.mutable_input()->set_name("image");
  for (int extent : {14, 10, 3}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(5);
  const auto conv = [&](const char* name, std::vector<const char*> inputs, int channels, int kernel, int stride,
                        int padding) {
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
  conv("d", {"c"}, 67, 3, 2, 1);  // 4x3x67: more than one word of signs
  conv("e", {"d"}, 13, 2, 3, 0);  // 1x1x13
  add("head", "e").mutable_linear()->set_out_features(5);
  return spec;
}

// Clips, and the node kinds of mobile and ImageNet networks: depthwise convolutions (of the input too, with an
// addition, larger than 3x3), overlapping and padded pools of odd maps, outputs without ReLU, added and read by
// convolutions without padding.
NetworkSpec MobileNetwork() {
  NetworkSpec spec;
  spec.set_name("mobile");
  spec.mutable_input()->set_name("clip");
  for (int extent : {3, 11, 9, 3}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(5);
  const auto add = [&](const char* name, std::vector<const char*> inputs) -> proto::Node& {
    proto::Node& node = *spec.add_nodes();
    node.set_name(name);
    for (const char* input : inputs) node.add_inputs(input);
    return node;
  };
  const auto conv = [&](const char* name, std::vector<const char*> inputs, int channels, int kernel, int padding,
                        bool depthwise = false, bool without_relu = false) -> proto::Conv& {
    proto::Conv& c = *add(name, std::move(inputs)).mutable_conv();
    c.set_out_channels(channels);
    c.set_kernel(kernel);
    c.set_stride(1);
    c.set_padding(padding);
    if (depthwise) c.set_groups(channels);
    c.set_without_relu(without_relu);
    return c;
  };
  const auto pool = [&](const char* name, const char* input, int size, int stride, int padding) {
    proto::MaxPool& p = *add(name, {input}).mutable_max_pool();
    p.set_size(size);
    p.set_stride(stride);
    p.set_padding(padding);
  };
  conv("a", {"input"}, 3, 3, 1, /*depthwise=*/true);
  conv("b", {"a"}, 19, 3, 1);
  pool("halved", "b", 3, 2, 1);  // 6x5x19
  conv("c", {"halved"}, 19, 5, 2, /*depthwise=*/true);
  conv("thin", {"c"}, 21, 1, 0, false, /*without_relu=*/true);
  conv("wide", {"thin"}, 40, 1, 0);
  conv("d", {"wide", "wide"}, 40, 3, 1, /*depthwise=*/true).set_stride(1);
  conv("added", {"d", "thin"}, 21, 1, 0, false, /*without_relu=*/true);
  conv("e", {"added"}, 8, 3, 0);  // 4x3x8
  conv("f", {"e"}, 8, 2, 1, /*depthwise=*/true).set_stride(2);
  conv("g", {"f"}, 37, 3, 1, false, /*without_relu=*/true);
  conv("h", {"g"}, 37, 1, 0, /*depthwise=*/true);
  pool("last", "h", 2, 1, 1);
  add("pool", {"last"}).mutable_global_pool();
  add("head", {"pool"}).mutable_linear()->set_out_features(5);
  return spec;
}

// What this machine runs, and AMX on a model.
std::vector<const KernelTable*> TestedKernels() {
  std::vector<const KernelTable*> tables = SupportedKernels();
  for (const KernelTable* table : ModelledAmxTables()) tables.push_back(table);
  return tables;
}

// Every table, at every quantized point.
class PackedNetworkTest : public testing::TestWithParam<std::tuple<const KernelTable*, int>> {
 protected:
  const KernelTable& kernels() const { return *std::get<0>(GetParam()); }
  PointId point() const { return ToPointId(std::get<1>(GetParam())); }
};

std::unique_ptr<PackedNetwork> Pack(const Artifact& artifact, const KernelTable& kernels = *SupportedKernels().front(),
                                    const PackedNetworkOptions& options = {}) {
  return *PackedNetwork::Create(artifact, kernels, options);
}

std::vector<float> Logits(const PackedNetwork& network, PointId point, std::span<const uint8_t> images) {
  const int64_t rows = static_cast<int64_t>(images.size()) / network.description().input.elements;
  std::vector<float> logits(rows * network.description().output.elements);
  EXPECT_TRUE(network.Run(point, images, logits, *network.MakeScratch(static_cast<int>(rows))).ok());
  return logits;
}

void ExpectEqualToReference(const Artifact& artifact, const PackedNetwork& network, PointId point, int rows) {
  const std::vector<uint8_t> images = RandomImages(artifact, rows, 11);
  const int64_t inputs = network.description().input.elements, classes = network.description().output.elements;
  const LayerTrace trace = *network.Trace(point, images);
  const std::vector<float> logits = Logits(network, point, images);
  for (int row = 0; row < rows; ++row) {
    std::vector<float> expected;
    const LayerTrace reference =
        ReferenceRun(artifact, point, std::span(images).subspan(row * inputs, inputs), expected);
    for (size_t i = 0; i < reference.size(); ++i) {
      const auto& codes = reference[i].codes;
      const std::vector<int32_t> got(trace[i].codes.begin() + row * codes.size(),
                                     trace[i].codes.begin() + (row + 1) * codes.size());
      ASSERT_EQ(got, codes) << "node " << reference[i].node << " row " << row;
      if (codes.size() > 30 && point == ToPointId(1)) {
        EXPECT_GT(std::set(codes.begin(), codes.end()).size(), 8u)
            << "the test's codes say little: " << reference[i].node;
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

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeOfAMobileNetworkForClips) {
  const Artifact artifact = RandomArtifact(MobileNetwork(), 2);
  ExpectEqualToReference(artifact, *Pack(artifact, kernels()), point(), 5);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeWithTablesGatesAndCodesForZero) {
  const Artifact artifact = RandomArtifact(GatedNetwork(), 2);
  const auto network = Pack(artifact, kernels());
  ExpectEqualToReference(artifact, *network, point(), 5);
  // Full precision has other borders in the same places.
  (void)Logits(*network, ToPointId(kFullPrecision), RandomImages(artifact, 5, 1));
  ExpectEqualToReference(artifact, *network, point(), 2);
}

TEST_P(PackedNetworkTest, EqualsTheReferenceAtEveryNodeOfEveryArchitecture) {
  for (const char* narrow :
       {"clip:width=0.25,side=16,frames=3", "mobilenetv2:width=0.25,side=16", "mobilenetv2_imagenet:width=0.25,side=40",
        "resnet18:width=0.125,side=14", "resnet18_imagenet:width=0.125,side=44", "resnet20:width=0.5,side=14",
        "resnet20_wide:width=0.1,side=14", "resnet50:width=0.0625,side=14", "resnet50_imagenet:width=0.0625,side=44",
        "vgg16:width=0.0625,side=28"}) {
    SCOPED_TRACE(narrow);
    const Artifact artifact = RandomArtifact(*ArchitectureByName(narrow), 1);
    ExpectEqualToReference(artifact, *Pack(artifact, kernels()), point(), 2);
  }
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
      EXPECT_EQ(Logits(*crew, point(), images), Logits(*alone, point(), images))
          << threads << " threads, " << rows << " rows";
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
  for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
    const auto network = Pack(artifact, kernels());
    KernelChoices choices = guessed->choices();
    for (LayerChoice& layer : choices.layers) layer.algorithms.fill(NameOf(algorithm));
    ASSERT_TRUE(network->SetChoices(choices).ok());
    EXPECT_EQ(Logits(*network, point(), images), expected) << NameOf(algorithm);
    for (const LayerChoice& layer : network->choices().layers) used.insert(layer.algorithms[0]);  // of this point
  }
  EXPECT_TRUE(used.contains("direct_words") && used.contains("winograd_words_4x4")) << "choices were not used";
}

INSTANTIATE_TEST_SUITE_P(All, PackedNetworkTest,
                         testing::Combine(testing::ValuesIn(TestedKernels()), testing::Range(1, kPoints)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param)->name, "_", std::get<1>(info.param));
                         });

// Of the best table. With tiles, sums of floats depend on the kernel, and so on the rows that run together.
void ExpectTheSame(int point, const std::vector<float>& got, const std::vector<float>& expected) {
  if (point != kFullPrecision || SupportedKernels().front()->tiles == nullptr) {
    EXPECT_EQ(got, expected) << "point " << point;
    return;
  }
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4 * (1 + std::abs(expected[i])));
}

constexpr std::chrono::hours kPlenty{1};

// A clock that only its reader moves: every look is 50 microseconds later.
MonotonicClock TickingClock() {
  return [now = std::chrono::nanoseconds(0)]() mutable { return now += std::chrono::microseconds(50); };
}

// Maps of 1.2 MB: rows go in small groups through the first nodes.
TEST(PackedNetwork, GivesARowTheSameResultInABatchWhereMapsAreLarge) {
  const Artifact artifact = RandomArtifact(*ArchitectureByName("mobilenetv2_imagenet"), 6);
  const auto network = Pack(artifact);
  const int rows = 3, classes = 1000;
  const std::vector<uint8_t> images = RandomImages(artifact, rows, 1);
  const size_t row_size = images.size() / rows;
  const auto scratch = network->MakeScratch(rows);
  for (int point : {0, 1, 4}) {
    std::vector<float> together(rows * classes), alone(classes);
    ASSERT_TRUE(network->Run(ToPointId(point), images, together, *scratch).ok());
    for (int row = 0; row < rows; ++row) {
      const auto image = std::span(images).subspan(row * row_size, row_size);
      ASSERT_TRUE(network->Run(ToPointId(point), image, alone, *scratch).ok());
      EXPECT_EQ(alone, std::vector<float>(together.begin() + row * classes, together.begin() + (row + 1) * classes))
          << point << " " << row;
    }
  }
}

TEST(PackedNetwork, RunsNodeByNodeWithTheSameLogits) {
  const Artifact artifact = RandomArtifact(AwkwardNetwork(), 6);
  const auto network = Pack(artifact, *SupportedKernels().front(), {.threads = 2});
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 1);
  const auto scratch = network->MakeScratch(4);
  std::vector<float> expected(2 * 5), logits(2 * 5), too_many(3 * 5);
  const auto rows = [&](int count) { return std::span(images).first(images.size() / 3 * count); };
  ASSERT_TRUE(network->Run(ToPointId(1), rows(2), expected, *scratch).ok());
  std::vector<std::string> names;
  const auto remember = [&](const PlannedNode& node, int) { names.push_back(node.name); };
  ASSERT_TRUE(network->RunNodes(ToPointId(1), rows(2), logits, *scratch, remember).ok());
  EXPECT_EQ(logits, expected);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "half", "b", "c", "d", "e", "head"}));
  const absl::Status refused = network->RunNodes(ToPointId(1), rows(3), too_many, *scratch, remember);
  EXPECT_EQ(refused.message(), "batch of 3 exceeds the 2 rows of one thread");
}

TEST(PackedNetwork, ReportsANodeAfterEachPartOfABatchThatItTakes) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact, *SupportedKernels().front(), {.near_activations = 2000});
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 1);
  const auto scratch = network->MakeScratch(3);
  std::vector<float> expected(3 * 10), logits(3 * 10);
  ASSERT_TRUE(network->Run(ToPointId(1), images, expected, *scratch).ok());
  int of_stem = 0, of_head = 0;
  const auto count = [&](const PlannedNode& node, int) {
    of_stem += node.name == "stem" ? 1 : 0;
    of_head += node.name == "head" ? 1 : 0;
  };
  ASSERT_TRUE(network->RunNodes(ToPointId(1), images, logits, *scratch, count).ok());
  EXPECT_EQ(logits, expected);
  EXPECT_GE(of_stem, 3);  // a row of its maps exceeds 2000 bytes, its weights do not; bands are parts of a row
  EXPECT_EQ(of_head, 1);
}

TEST(KernelChoices, AreMeasuredForEveryConvolutionAndSizeUpToTheLargest) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(4, kPlenty, TickingClock(), {});
  const KernelChoices choices = network->choices();
  EXPECT_EQ(choices.isa, SupportedKernels().front()->name);
  EXPECT_EQ(choices.layers.size(), 9u * artifact.points.size());
  for (const LayerChoice& layer : choices.layers) {
    for (const std::string& name : layer.algorithms)
      EXPECT_TRUE(ConvAlgorithmByName(name).has_value()) << layer.node << name;
    EXPECT_EQ(layer.algorithms[3], layer.algorithms[2]) << "8 rows follow 4, the largest that was measured";
    EXPECT_EQ(layer.algorithms[4], layer.algorithms[2]);
  }
}

// A budget that is enough for one point: at full precision there is nothing to measure, so that is w8a8.
constexpr std::chrono::microseconds kOnePoint{1500};

TEST(KernelChoices, FollowTheDearerPointWhereTheBudgetEnds) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(16, std::chrono::nanoseconds(0), TickingClock(), {});
  EXPECT_TRUE(network->choices().layers.empty()) << "without a budget nothing is measured";
  network->MeasureChoices(16, kOnePoint, TickingClock(), {});
  std::map<std::string, AlgorithmNames> eight_bits;
  for (const LayerChoice& layer : network->choices().layers) {
    if (layer.point == "w8a8") eight_bits[layer.node] = layer.algorithms;
  }
  EXPECT_EQ(eight_bits.size(), 9u);
  EXPECT_EQ(network->choices().layers.size(), 9u * artifact.points.size());
  for (const LayerChoice& layer : network->choices().layers) {
    if (layer.point != "fp32") {
      EXPECT_EQ(layer.algorithms, eight_bits[layer.node]) << layer.point << layer.node;
    }
  }
}

TEST(KernelChoices, AreNotMadeOnceTheMeasurementIsToStop) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  std::stop_source stop;
  int asked = 0;
  network->MeasureChoices(
      16, kPlenty,
      [&, clock = TickingClock()] {
        if (++asked == 100) stop.request_stop();
        return clock();
      },
      stop.get_token());
  // At full precision there is nothing to choose; the first other point takes longer than that.
  for (const LayerChoice& layer : network->choices().layers) EXPECT_EQ(layer.point, "fp32") << layer.node;
}

TEST(KernelChoices, KeepWhatTheyWereWhereTheBudgetEnds) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  KernelChoices chosen{.isa = SupportedKernels().front()->name, .layers = {}};
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  for (const PlannedNode& node : plan.nodes) {
    if (node.kind != NodeKind::kConv) continue;
    chosen.layers.push_back({.point = "w1a1", .node = node.name, .algorithms = {}});
    chosen.layers.back().algorithms.fill("direct_words");
  }
  ASSERT_TRUE(network->SetChoices(chosen).ok());
  network->MeasureChoices(16, kOnePoint, TickingClock(), {});
  for (const LayerChoice& layer : network->choices().layers) {
    if (layer.point == "w1a1") {
      EXPECT_EQ(layer.algorithms.front(), "direct_words") << layer.node;
    }
  }
}

TEST(KernelChoices, ReturnToANetworkAsTheyLeftOne) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto measured = Pack(artifact), other = Pack(artifact);
  measured->MeasureChoices(16, kPlenty, TickingClock(), {});
  ASSERT_TRUE(other->SetChoices(measured->choices()).ok());
  EXPECT_EQ(other->choices(), measured->choices());
}

TEST(KernelChoices, ThatFitAnotherNetworkOrMachineAreRefusedAndChangeNothing) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 6);
  const auto network = Pack(artifact);
  network->MeasureChoices(1, kPlenty, TickingClock(), {});
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
  EXPECT_EQ(
      refusal([](KernelChoices& c) { c.layers.back().node = "head"; }),
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
    expected.push_back(Logits(*roomy, ToPointId(point), images));
    bytes.push_back(roomy->panel_bytes() - before);
    EXPECT_GT(bytes.back(), 0);
    EXPECT_EQ(Logits(*roomy, ToPointId(point), images), expected.back());
    EXPECT_EQ(roomy->panel_bytes(), before + bytes.back()) << "panels were made twice";
    EXPECT_GT(roomy->bytes().weights, 0);
  }

  // Room for point 1 and one of 2 and 3.
  const int64_t budget = bytes[1] + std::max(bytes[2], bytes[3]);
  const auto narrow = Pack(artifact, *SupportedKernels().front(), {.panel_budget = budget});
  Logits(*narrow, ToPointId(1), images);
  Logits(*narrow, ToPointId(2), images);
  EXPECT_EQ(narrow->panel_bytes(), bytes[1] + bytes[2]);
  Logits(*narrow, ToPointId(1), images);
  Logits(*narrow, ToPointId(3), images);
  EXPECT_EQ(narrow->panel_bytes(), bytes[1] + bytes[3]) << "2, whose use is longest ago, was to be dropped";
  for (int point = kPoints - 1; point >= 0; --point)
    EXPECT_EQ(Logits(*narrow, ToPointId(point), images), expected[point]);

  const auto none = Pack(artifact, *SupportedKernels().front(), {.panel_budget = 0});
  for (int point = 0; point < kPoints; ++point) {
    EXPECT_EQ(Logits(*none, ToPointId(point), images), expected[point]);
    EXPECT_EQ(none->panel_bytes(), bytes[point]) << "one point's panels stay";
  }
}

TEST(Panels, ArePreparedAheadOfTheFirstRun) {
  const auto network = Pack(RandomArtifact(FashionNetwork(8), 5));
  ASSERT_TRUE(network->Prepare(ToPointId(2)).ok());
  const int64_t prepared = network->panel_bytes();
  EXPECT_GT(prepared, 0);
  EXPECT_FALSE(network->choices().layers.empty()) << "what a prepared point runs with is known";
  Logits(*network, ToPointId(2), RandomImages(RandomArtifact(FashionNetwork(8), 5), 1, 6));
  EXPECT_EQ(network->panel_bytes(), prepared) << "the run packed panels";
  EXPECT_EQ(network->Prepare(ToPointId(kPoints)).message(), "operating point 6 of 6");
}

TEST(PackedNetwork, RefusesOptionsOutsideTheirLimits) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 5);
  const auto refusal = [&](const PackedNetworkOptions& options) {
    return std::string(PackedNetwork::Create(artifact, PortableKernels(), options).status().message());
  };
  EXPECT_EQ(refusal({.threads = 0}), "threads of a run: 0 is not from 1 to 64");
  EXPECT_EQ(refusal({.threads = 65}), "threads of a run: 65 is not from 1 to 64");
  EXPECT_EQ(refusal({.panel_budget = -1}), "panel budget of -1 bytes is negative");
  EXPECT_EQ(refusal({.activation_budget = -1}), "activation budget of -1 bytes is negative");
}

// One frame of a conv or max pool node in double precision, before the addition.
std::vector<double> WindowsInDoubles(const PlannedNode& node, const std::vector<float>* weights, const double* x) {
  std::vector<double> out(node.out.elements(), 0.0);
  const int size = node.kind == NodeKind::kMaxPool ? node.pool : node.kernel;
  for (int64_t i = 0; i < node.out.elements(); ++i) {
    const int64_t o = i % node.out.channels, px = i / node.out.channels % node.out.width;
    const int64_t py = i / node.out.channels / node.out.width;
    for (int ky = 0; ky < size; ++ky) {
      for (int kx = 0; kx < size; ++kx) {
        const int64_t iy = py * node.stride + ky - node.padding, ix = px * node.stride + kx - node.padding;
        if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
        const double* pixel = x + (iy * node.in.width + ix) * node.in.channels;
        if (node.kind == NodeKind::kMaxPool) {
          out[i] = std::max(out[i], pixel[o]);
        } else if (node.depthwise) {
          out[i] += pixel[o] * (*weights)[o * node.depth + ky * size + kx];
        } else {
          for (int64_t c = 0; c < node.in.channels; ++c) {
            out[i] += pixel[c] * (*weights)[o * node.depth + (ky * size + kx) * node.in.channels + c];
          }
        }
      }
    }
  }
  return out;
}

// The logits of one row at the full-precision point, in double precision; `bfloat16`: with weights, and all values
// that go from node to node, rounded to bfloat16.
std::vector<double> LogitsInDoubles(Artifact artifact, const std::vector<uint8_t>& row, bool bfloat16 = false) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  const auto round = [&](double& x) { x = RoundToBfloat16(static_cast<float>(x)); };
  for (LayerStore& store : artifact.store) {
    for (float& weight : store.full) weight = bfloat16 ? RoundToBfloat16(weight) : weight;
  }
  std::vector<std::vector<double>> values(plan.nodes.size());
  const std::vector<double> input(row.begin(), row.end());
  const auto value = [&](int index) -> const std::vector<double>& {
    return index == kNetworkInput ? input : values[index];
  };
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlannedNode& node = plan.nodes[n];
    const auto& x = value(node.input);
    std::vector<double>& y = values[n];
    if (node.kind == NodeKind::kGlobalPool) {
      y.assign(node.out.channels, 0.0);
      for (size_t i = 0; i < x.size(); ++i) y[i % y.size()] += x[i];
      if (bfloat16) std::for_each(y.begin(), y.end(), round);
    } else if (node.kind == NodeKind::kLinear) {
      y.assign(node.out.channels, 0.0);
      for (int64_t i = 0; i < node.weights(); ++i) {
        y[i / node.depth] += x[i % node.depth] * artifact.store[node.layer].full[i];
      }
    } else {
      const std::vector<float>* weights = node.layer < 0 ? nullptr : &artifact.store[node.layer].full;
      for (int64_t frame = 0; frame < node.frames; ++frame) {
        const std::vector<double> one = WindowsInDoubles(node, weights, x.data() + frame * node.in.elements());
        y.insert(y.end(), one.begin(), one.end());
      }
    }
    if (node.layer < 0) continue;
    const LayerEpilogue& layer = artifact.points[kFullPrecision].layers[node.layer];
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t o = i % node.out.channels;
      y[i] = y[i] * layer.scale[o] + layer.bias[o];
      if (node.has_residual) y[i] += value(node.residual)[i] * layer.residual_scale;
      if (node.kind == NodeKind::kConv && node.relu) y[i] = std::max(y[i], 0.0);
      if (bfloat16 && node.kind == NodeKind::kConv) round(y[i]);
    }
  }
  return values.back();
}

TEST(PackedNetwork, ComputesTheFullPrecisionPointNearADoublePrecisionSum) {
  for (const NetworkSpec& spec : {AwkwardNetwork(), MobileNetwork()}) {
    const Artifact artifact = RandomArtifact(spec, 3);
    const auto network = Pack(artifact);
    const std::vector<uint8_t> rows = RandomImages(artifact, 2, 4);
    const std::vector<float> logits = Logits(*network, ToPointId(kFullPrecision), rows);
    for (int row = 0; row < 2; ++row) {
      const auto first = rows.begin() + row * network->description().input.elements;
      const std::vector<double> expected =
          LogitsInDoubles(artifact, {first, first + network->description().input.elements});
      for (int o = 0; o < 5; ++o) {
        EXPECT_NEAR(logits[row * 5 + o], expected[o], 1e-4 * (1 + std::abs(expected[o]))) << spec.name();
      }
    }
  }
}

// A sum that lies near the middle of two bfloat16 numbers may be rounded either way, which is seen in all that follows:
// so the bound is on the whole. What it must not be near are the logits of floats.
TEST(PackedNetwork, ComputesABfloat16PointNearItsDefinition) {
  for (const NetworkSpec& spec : {AwkwardNetwork(), MobileNetwork()}) {
    Artifact artifact = RandomArtifact(spec, 3);
    AddBfloat16Point(artifact);
    const std::vector<uint8_t> rows = RandomImages(artifact, 9, 4);
    for (const KernelTable* kernels : TestedKernels()) {
      const auto network = Pack(artifact, *kernels);
      const std::vector<float> logits = Logits(*network, ToPointId(kFullPrecision + 1), rows);
      double error = 0, difference = 0;
      for (int row = 0; row < 9; ++row) {
        const auto first = rows.begin() + row * network->description().input.elements;
        const std::vector<uint8_t> one(first, first + network->description().input.elements);
        const std::vector<double> expected = LogitsInDoubles(artifact, one, true);
        const std::vector<double> of_floats = LogitsInDoubles(artifact, one);
        for (int o = 0; o < 5; ++o) {
          error += std::abs(logits[row * 5 + o] - expected[o]);
          difference += std::abs(of_floats[o] - expected[o]);
        }
      }
      EXPECT_LT(error, difference / 4) << spec.name() << ", " << kernels->name;
    }
  }
}

// Where a processor has no products of bfloat16 numbers, every kernel sums in the same order.
TEST(PackedNetwork, GivesTheSameBfloat16LogitsWithAnyKernelOfFloats) {
  Artifact artifact = RandomArtifact(FashionNetwork(8), 4);
  AddBfloat16Point(artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 3, 13);
  for (const KernelTable* kernels : SupportedKernels()) {
    if (kernels->bfloat_input_bytes == 2) continue;
    std::vector<float> logits[2];
    for (const char* name : {"direct_floats", "direct_bfloats"}) {
      const auto network = Pack(artifact, *kernels);
      ASSERT_TRUE(network->Prepare(ToPointId(kFullPrecision + 1)).ok());
      KernelChoices choices = network->choices();
      for (LayerChoice& layer : choices.layers) layer.algorithms.fill(name);
      ASSERT_TRUE(network->SetChoices(choices).ok());
      logits[name == std::string("direct_bfloats")] = Logits(*network, ToPointId(kFullPrecision + 1), images);
    }
    EXPECT_EQ(logits[0], logits[1]) << kernels->name;
  }
}

TEST(PackedNetwork, RunsRowsInGroupsWhereTheirActivationsExceedABudget) {
  const Artifact artifact = RandomArtifact(MobileNetwork(), 1);
  const auto roomy = Pack(artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 7, 2);
  for (int64_t budget : {0, 1'000'000}) {
    const auto narrow = Pack(artifact, *SupportedKernels().front(), {.threads = 2, .activation_budget = budget});
    narrow->MeasureChoices(16, std::chrono::milliseconds(50), TickingClock(), {});
    for (int point = 0; point < kPoints; ++point) {
      ExpectTheSame(point, Logits(*narrow, ToPointId(point), images), Logits(*roomy, ToPointId(point), images));
    }
  }
}

TEST(PackedNetwork, RunsNodesOnAFewRowsAtATimeWhereTheirActivationsAreToStayNear) {
  for (const Artifact& artifact :
       {RandomArtifact(MobileNetwork(), 1), RandomArtifact(FashionNetwork(8), 2), RandomArtifact(GatedNetwork(), 3)}) {
    const auto whole = Pack(artifact, *SupportedKernels().front(), {.near_activations = int64_t{1} << 40});
    const std::vector<uint8_t> images = RandomImages(artifact, 7, 2);
    for (int64_t near : {20'000, 60'000}) {
      const auto parts = Pack(artifact, *SupportedKernels().front(), {.near_activations = near});
      for (int point = 0; point < kPoints; ++point) {
        ExpectTheSame(point, Logits(*parts, ToPointId(point), images), Logits(*whole, ToPointId(point), images));
      }
    }
  }
}

TEST(PackedNetwork, GivesARowTheSameResultInAnyBatch) {
  const Artifact artifact = RandomArtifact(FashionNetwork(8), 5);
  const auto network = Pack(artifact);
  constexpr int kRows = 9;
  const std::vector<uint8_t> images = RandomImages(artifact, kRows, 6);
  const auto scratch = network->MakeScratch(kRows);
  for (int point = 0; point < kPoints; ++point) {
    std::vector<float> together(kRows * 10), alone(10);
    ASSERT_TRUE(network->Run(ToPointId(point), images, together, *scratch).ok());
    for (int row = kRows - 1; row >= 0; --row) {
      ASSERT_TRUE(network->Run(ToPointId(point), std::span(images).subspan(row * 1024, 1024), alone, *scratch).ok());
      ExpectTheSame(point, alone, {together.begin() + row * 10, together.begin() + row * 10 + 10});
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
        network->Run(ToPointId(point), std::span(images).first(inputs), std::span(logits).first(outputs), *scratch)
            .message());
  };
  EXPECT_EQ(run(6, 1024, 10), "operating point 6 of 6");
  EXPECT_EQ(run(255, 1024, 10), "operating point 255 of 6");
  EXPECT_EQ(run(1, 1023, 10), "input of 1023 and output of 10 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 1024, 20), "input of 1024 and output of 20 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 0, 0), "input of 0 and output of 0 values are no rows of 1024 and 10");
  EXPECT_EQ(run(1, 3072, 30), "batch of 3 exceeds the scratch's 2");
  EXPECT_EQ(run(1, 2048, 20), "");
}

}  // namespace
}  // namespace anybit::model
