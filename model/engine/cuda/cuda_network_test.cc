#include "model/engine/cuda/cuda_network.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/engine/cuda/testing/host_device.h"
#include "model/engine/packed_network.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cuda/algorithm.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"
#include "model/testing/reference_network.h"

namespace anybit::model::cuda {
namespace {

using testing::HasSubstr;

// Every kind of node once, for tests that run it thousands of times.
Artifact SmallArtifact() {
  NetworkSpec spec;
  spec.set_name("small");
  spec.mutable_input()->set_name("image");
  for (int extent : {6, 6, 1}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(3);
  const auto add = [&](const char* name, std::vector<const char*> inputs) {
    proto::Node* const node = spec.add_nodes();
    node->set_name(name);
    for (const char* input : inputs) node->add_inputs(input);
    return node;
  };
  const auto set_conv = [](proto::Conv* conv) {
    conv->set_out_channels(16);
    conv->set_kernel(3);
    conv->set_stride(1);
    conv->set_padding(1);
  };
  set_conv(add("first", {"input"})->mutable_conv());
  set_conv(add("second", {"first", "first"})->mutable_conv());
  add("pool", {"second"})->mutable_max_pool()->set_size(2);
  add("sums", {"pool"})->mutable_global_pool();
  add("head", {"sums"})->mutable_linear()->set_out_features(3);
  Artifact artifact = RandomArtifact(spec, 5);
  AddBfloat16Point(artifact);
  return artifact;
}

Artifact ArtifactOf(const std::string& architecture) {
  return RandomArtifact(architecture == "gated" ? GatedNetwork() : *ArchitectureByName(architecture), 5);
}

std::unique_ptr<CudaNetwork> NetworkOn(Device& device, const Artifact& artifact, int max_rows = 4) {
  absl::StatusOr<std::unique_ptr<CudaNetwork>> network =
      CudaNetwork::Create(artifact, device, {.slots = 1, .max_rows = max_rows});
  EXPECT_TRUE(network.ok()) << network.status();
  return *std::move(network);
}

std::vector<float> Logits(const CudaNetwork& network, PointId point, const std::vector<uint8_t>& images,
                          AdaptiveNetwork::Scratch& scratch) {
  const NetworkDescription& description = network.description();
  std::vector<float> logits(images.size() / description.input.elements * description.output.elements);
  const absl::Status status = network.Run(point, images, logits, scratch);
  EXPECT_TRUE(status.ok()) << status;
  return logits;
}

// By definition, row by row.
std::vector<float> ReferenceLogits(const Artifact& artifact, PointId point, const std::vector<uint8_t>& images) {
  const int64_t elements = Describe(artifact).input.elements;
  std::vector<float> all;
  for (int64_t first = 0; first < static_cast<int64_t>(images.size()); first += elements) {
    std::vector<float> logits;
    ReferenceRun(artifact, point, std::span(images).subspan(first, elements), logits);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

bool IsFull(const Artifact& artifact, int point) { return artifact.points[point].full_precision; }

// Between them: residuals, strides, depthwise layers without ReLU, pools, clips, a linear layer on a map; "gated" has
// what imported networks add (model/testing/gated_network.h).
constexpr const char* kNetworks[] = {"fashion_tiny",
                                     "resnet20:width=0.5,side=12",
                                     "resnet50:width=0.0625,side=16",
                                     "resnet18_imagenet:width=0.0625,side=40,classes=5",
                                     "mobilenetv2:width=0.125,side=16",
                                     "vgg16:width=0.0625",
                                     "clip:width=0.0625,side=16,frames=3",
                                     "gated"};

class EveryNetworkTest : public testing::TestWithParam<std::tuple<int, const char*>> {};

TEST_P(EveryNetworkTest, GivesTheLogitsOfTheDefinitionAtEveryPoint) {
  const auto [architecture, name] = GetParam();
  const Artifact artifact = ArtifactOf(name);
  HostDevice device({.architecture = architecture});
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact);
  const auto scratch = network->MakeScratch(4);
  for (int rows : {3}) {
    const std::vector<uint8_t> images = RandomImages(artifact, rows, 40 + rows);
    for (int point = 0; point < static_cast<int>(artifact.points.size()); ++point) {
      if (IsFull(artifact, point)) continue;
      EXPECT_EQ(Logits(*network, ToPointId(point), images, *scratch),
                ReferenceLogits(artifact, ToPointId(point), images))
          << artifact.points[point].info.name << ", rows " << rows;
    }
  }
}

TEST_P(EveryNetworkTest, GivesTheCodesOfTheDefinitionAtEveryNode) {
  const auto [architecture, name] = GetParam();
  const Artifact artifact = ArtifactOf(name);
  HostDevice device({.architecture = architecture});
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact);
  const std::vector<uint8_t> image = RandomImages(artifact, 1, 9);
  for (int point = 1; point < static_cast<int>(artifact.points.size()); ++point) {
    std::vector<float> logits;
    const LayerTrace expected = ReferenceRun(artifact, ToPointId(point), image, logits);
    const absl::StatusOr<LayerTrace> trace = network->Trace(ToPointId(point), image);
    ASSERT_TRUE(trace.ok()) << trace.status();
    ASSERT_EQ(trace->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ((*trace)[i].node, expected[i].node);
      EXPECT_EQ((*trace)[i].codes == expected[i].codes, true) << expected[i].node;
    }
  }
}

TEST_P(EveryNetworkTest, ComputesFullPrecisionLikeTheCpuEngine) {
  const auto [architecture, name] = GetParam();
  const Artifact artifact = ArtifactOf(name);
  ASSERT_TRUE(IsFull(artifact, 0));
  HostDevice device({.architecture = architecture});
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 2, 3);
  const std::vector<float> logits = Logits(*network, ToPointId(0), images, *network->MakeScratch(2));
  const auto packed = PackedNetwork::Create(artifact, *SupportedKernels().front());
  ASSERT_TRUE(packed.ok());
  std::vector<float> expected(logits.size());
  ASSERT_TRUE((*packed)->Run(ToPointId(0), images, expected, *(*packed)->MakeScratch(2)).ok());
  float largest = 0;
  for (float logit : expected) largest = std::max(largest, std::abs(logit));
  // Sums in another order, through some tens of layers.
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 1e-4 * largest) << i;
}

// Sums in another order may be rounded to other bfloat16 numbers, which is seen in all that follows: so the bound is on
// the whole. What the logits must not be near are those of floats.
TEST_P(EveryNetworkTest, ComputesABfloat16PointLikeTheCpuEngine) {
  const auto [architecture, name] = GetParam();
  Artifact artifact = ArtifactOf(name);
  AddBfloat16Point(artifact);
  const PointId point = ToPointId(1);
  ASSERT_EQ(artifact.points[1].info.name, "bf16");
  HostDevice device({.architecture = architecture});
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact);
  const std::vector<uint8_t> images = RandomImages(artifact, 4, 3);
  const std::vector<float> logits = Logits(*network, point, images, *network->MakeScratch(4));
  const auto packed = PackedNetwork::Create(artifact, *SupportedKernels().front());
  ASSERT_TRUE(packed.ok());
  std::vector<float> expected(logits.size()), of_floats(logits.size());
  ASSERT_TRUE((*packed)->Run(point, images, expected, *(*packed)->MakeScratch(4)).ok());
  ASSERT_TRUE((*packed)->Run(ToPointId(0), images, of_floats, *(*packed)->MakeScratch(4)).ok());
  double error = 0, difference = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    error += std::abs(logits[i] - expected[i]);
    difference += std::abs(of_floats[i] - expected[i]);
  }
  EXPECT_LT(error, difference / 2);
}

INSTANTIATE_TEST_SUITE_P(Sm80, EveryNetworkTest, testing::Combine(testing::Values(80), testing::ValuesIn(kNetworks)));
// Bits by XOR; no nibbles; neither nibbles nor bits.
INSTANTIATE_TEST_SUITE_P(Others, EveryNetworkTest,
                         testing::Combine(testing::Values(75, 90, 120), testing::Values("fashion_tiny")));

class CudaNetworkTest : public testing::Test {
 protected:
  const Artifact artifact_ = SmallArtifact();
  const std::vector<uint8_t> images_ = RandomImages(artifact_, 3, 1);
  HostDevice device_{{.architecture = 80}};
};

TEST_F(CudaNetworkTest, GivesTheSameLogitsWithEveryAlgorithm) {
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_);
  const auto scratch = network->MakeScratch(4);
  std::vector<std::vector<float>> expected;
  for (int point = 0; point < static_cast<int>(artifact_.points.size()); ++point) {
    expected.push_back(Logits(*network, ToPointId(point), images_, *scratch));
  }
  for (const Algorithm algorithm : AllAlgorithms()) {
    if (algorithm == Algorithm::kDepthwise) continue;  // no layer of this network
    KernelChoices choices = network->choices();
    for (LayerChoice& layer : choices.layers) layer.algorithms.fill(NameOf(algorithm));
    ASSERT_TRUE(network->SetChoices(choices).ok());
    int replaced = 0;
    for (const LayerChoice& layer : network->choices().layers) replaced += layer.algorithms[0] != NameOf(algorithm);
    EXPECT_LT(replaced, static_cast<int>(choices.layers.size())) << NameOf(algorithm) << " was never used";
    for (int point = 1; point < static_cast<int>(artifact_.points.size()); ++point) {
      EXPECT_EQ(Logits(*network, ToPointId(point), images_, *scratch), expected[point]) << NameOf(algorithm);
    }
  }
}

TEST_F(CudaNetworkTest, TracesTheSumsOfTheImageItself) {
  NetworkSpec spec = artifact_.spec;
  spec.clear_nodes();
  proto::Node* const pool = spec.add_nodes();
  pool->set_name("sums");
  pool->add_inputs("input");
  pool->mutable_global_pool();
  proto::Node* const head = spec.add_nodes();
  head->set_name("head");
  head->add_inputs("sums");
  head->mutable_linear()->set_out_features(3);
  const Artifact artifact = RandomArtifact(spec, 5);
  const std::vector<uint8_t> image = RandomImages(artifact, 1, 9);
  std::vector<float> logits;
  const LayerTrace expected = ReferenceRun(artifact, ToPointId(1), image, logits);
  const absl::StatusOr<LayerTrace> trace = NetworkOn(device_, artifact)->Trace(ToPointId(1), image);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->front().codes, expected.front().codes);
}

TEST_F(CudaNetworkTest, ABatchOfFewerRowsThanItsBucketHasTheLogitsOfItsRows) {
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_, 5);
  const auto scratch = network->MakeScratch(5);
  const std::vector<uint8_t> many = RandomImages(artifact_, 5, 8);
  Logits(*network, ToPointId(2), many, *scratch);
  EXPECT_EQ(Logits(*network, ToPointId(2), images_, *scratch), ReferenceLogits(artifact_, ToPointId(2), images_));
}

TEST_F(CudaNetworkTest, ARunAllocatesAndRecordsNothing) {
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_);
  const auto scratch = network->MakeScratch(4);
  const int64_t before = device_.allocations(), calls = device_.calls();
  for (int point = 0; point < static_cast<int>(artifact_.points.size()); ++point) {
    Logits(*network, ToPointId(point), images_, *scratch);
  }
  EXPECT_EQ(device_.allocations(), before);
  // A change of the point costs no call either: one launch and one wait for each batch.
  EXPECT_EQ(device_.calls() - calls, 2 * static_cast<int64_t>(artifact_.points.size()));
}

TEST_F(CudaNetworkTest, FreesAllThatItAllocated) {
  {
    const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_);
    const auto scratch = network->MakeScratch(4);
    EXPECT_GT(device_.allocated_bytes(), 0);
  }
  EXPECT_EQ(device_.allocated_bytes(), 0);
}

TEST_F(CudaNetworkTest, RefusesANetworkThatDoesNotFitBeforeItLoadsAnything) {
  HostDevice small({.memory_bytes = (int64_t{384} << 20) + 1000});
  const auto network = CudaNetwork::Create(artifact_, small, {.slots = 2, .max_rows = 8});
  ASSERT_EQ(network.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(network.status().message(), HasSubstr("2 slots of 8 rows"));
  EXPECT_EQ(small.allocations(), 0);
  const auto limited = CudaNetwork::Create(artifact_, device_, {.slots = 1, .max_rows = 8, .memory_budget = 1000});
  EXPECT_EQ(limited.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(device_.allocations(), 0);
}

TEST_F(CudaNetworkTest, TakesNoMoreThanItSaidItNeeds) {
  // The smallest budget that it accepts holds all that it allocates with its guessed algorithms.
  int64_t low = 0, high = int64_t{1} << 30;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    HostDevice device({});
    const bool fits = CudaNetwork::Create(artifact_, device, {.slots = 1, .max_rows = 4, .memory_budget = middle}).ok();
    (fits ? high : low) = middle;
  }
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_);
  const auto scratch = network->MakeScratch(4);
  // Each part of an allocation is rounded up.
  EXPECT_LE(device_.allocated_bytes(), high + 64 * 256);
}

TEST_F(CudaNetworkTest, RefusesPointsRowsAndOptionsThatDoNotExist) {
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_, 2);
  const auto scratch = network->MakeScratch(2);
  std::vector<float> logits(3 * network->description().output.elements);
  EXPECT_EQ(network->Run(ToPointId(1), images_, logits, *scratch).message(), "batch of 3 exceeds the scratch's 2");
  EXPECT_EQ(network->Run(ToPointId(9), images_, logits, *scratch).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CudaNetwork::Create(artifact_, device_, {.slots = 0}).status().message(), "slots: 0 is not from 1 to 256");
  EXPECT_EQ(CudaNetwork::Create(artifact_, device_, {.memory_budget = -1}).status().message(),
            "device memory budget of -1 bytes is negative");
}

TEST_F(CudaNetworkTest, ChoosesTheFastestAlgorithmOfEachLayerByMeasurement) {
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device_, artifact_, 2);
  std::chrono::nanoseconds now{0};
  network->MeasureChoices(2, std::chrono::hours(1), [&] { return now += std::chrono::microseconds(200); }, {});
  const KernelChoices measured = network->choices();
  const auto choice = [&](const std::string& point) {
    for (const LayerChoice& layer : measured.layers) {
      if (layer.point == point && layer.node != measured.layers.front().node) return layer.algorithms.back();
    }
    return std::string();
  };
  // By the host device's costs: as many products as words.
  EXPECT_EQ(choice("w1a1"), "bits");
  EXPECT_EQ(choice("w1a2"), "bits");
  EXPECT_EQ(choice("fp32"), "floats");
  EXPECT_EQ(choice("w8a8"), "bytes_64");
  EXPECT_TRUE(network->Health().ok());
  EXPECT_EQ(Logits(*network, ToPointId(2), images_, *network->MakeScratch(4)),
            ReferenceLogits(artifact_, ToPointId(2), images_));

  // They can be kept, for this device and driver only.
  const std::unique_ptr<CudaNetwork> other = NetworkOn(device_, artifact_, 4);
  ASSERT_TRUE(other->SetChoices(measured).ok());
  EXPECT_EQ(other->choices(), measured);
  EXPECT_THAT(measured.isa, HasSubstr("sm_80, a host's emulation, driver for CUDA 13.0"));
  HostDevice hopper({.architecture = 90});
  EXPECT_EQ(NetworkOn(hopper, artifact_)->SetChoices(measured).code(), absl::StatusCode::kInvalidArgument);
}

// As a kernel would that is right on the host and wrong on a device. In CUTLASS's place, which only a device can prove.
TEST_F(CudaNetworkTest, KernelsThatDisagreeAreFoundWhileTheyAreMeasured) {
  HostDevice device({.architecture = 80, .wrong_cutlass = true});
  const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact_, 2);
  std::chrono::nanoseconds now{0};
  network->MeasureChoices(2, std::chrono::hours(1), [&] { return now += std::chrono::microseconds(200); }, {});
  EXPECT_THAT(network->Health().message(), HasSubstr("kernels disagree at point w8a8"));
  std::vector<float> logits(3 * network->description().output.elements);
  EXPECT_EQ(network->Run(ToPointId(1), images_, logits, *network->MakeScratch(3)).code(), absl::StatusCode::kInternal);
}

// What follows loads, measures and runs with a fault at one call of the boundary after the other.
class FaultTest : public testing::TestWithParam<Fault> {
 protected:
  const Artifact artifact_ = SmallArtifact();
  const std::vector<uint8_t> images_ = RandomImages(artifact_, 2, 1);
  const std::vector<float> expected_ = ReferenceLogits(artifact_, ToPointId(2), images_);

  struct Outcome {
    absl::Status created, ran, ran_again, health;
    std::vector<float> logits;
  };
  Outcome RunAllOn(HostDevice& device) const {
    Outcome outcome;
    absl::StatusOr<std::unique_ptr<CudaNetwork>> network =
        CudaNetwork::Create(artifact_, device, {.slots = 1, .max_rows = 2});
    outcome.created = network.status();
    if (!network.ok()) return outcome;
    const auto scratch = (*network)->MakeScratch(2);
    outcome.logits.assign(expected_.size(), -1);
    outcome.ran = (*network)->Run(ToPointId(2), images_, outcome.logits, *scratch);
    std::vector<float> again(expected_.size());
    outcome.ran_again = (*network)->Run(ToPointId(2), images_, again, *scratch);
    outcome.health = (*network)->Health();
    const int64_t calls = device.calls();
    const absl::Status third = (*network)->Run(ToPointId(2), images_, again, *scratch);
    if (!outcome.health.ok()) {
      EXPECT_EQ(third.code(), absl::StatusCode::kInternal);
      EXPECT_EQ(device.calls(), calls) << "a lost device was asked again";
    }
    return outcome;
  }
};

TEST_P(FaultTest, AtAnyCallFailsWithInternalAndNeverGivesAWrongAnswer) {
  HostDevice whole({});
  ASSERT_EQ(RunAllOn(whole).logits, expected_);
  // Each run is two calls: the launch and the wait.
  const int64_t calls_of_two_runs = whole.calls() - 2;
  for (int64_t at = 0; at < calls_of_two_runs; ++at) {
    HostDevice device({.fault_at = at, .fault = GetParam()});
    const Outcome outcome = RunAllOn(device);
    if (outcome.created.ok() && outcome.ran.ok()) {
      EXPECT_EQ(outcome.logits, expected_) << "call " << at;
    }
    if (!device.fault_has_happened()) continue;  // an out of memory at a call that allocates nothing
    if (!outcome.created.ok()) continue;         // refused at the start, in words of the boundary
    if (outcome.ran.ok()) {
      // It came with a later run.
      EXPECT_TRUE(!outcome.ran_again.ok()) << "call " << at;
    } else {
      EXPECT_EQ(outcome.ran.code(), absl::StatusCode::kInternal) << "call " << at;
      EXPECT_EQ(outcome.ran_again.code(), absl::StatusCode::kInternal) << "call " << at;
    }
    const bool memory_only = GetParam() == Fault::kOutOfMemory;
    EXPECT_EQ(outcome.health.ok(), memory_only) << "call " << at;
    EXPECT_EQ(device.allocated_bytes(), 0);
  }
}

TEST_P(FaultTest, WhileItMeasuresLeavesChoicesThatAreStillExact) {
  HostDevice whole({});
  const auto measure = [&](HostDevice& device, int64_t fault_after) {
    const std::unique_ptr<CudaNetwork> network = NetworkOn(device, artifact_, 2);
    if (fault_after >= 0) device.FailAt(fault_after, GetParam());
    const int64_t before = device.calls();
    std::chrono::nanoseconds now{0};
    network->MeasureChoices(2, std::chrono::milliseconds(20), [&] { return now += std::chrono::microseconds(200); },
                            {});
    const int64_t calls = device.calls() - before;
    std::vector<float> logits(expected_.size());
    const absl::Status status = network->Run(ToPointId(2), images_, logits, *network->MakeScratch(2));
    if (status.ok()) {
      EXPECT_EQ(logits, expected_) << "call " << fault_after;
    } else {
      EXPECT_FALSE(network->Health().ok()) << "call " << fault_after;
    }
    return calls;
  };
  const int64_t calls = measure(whole, -1);
  // Few of them, since each measures anew.
  for (int64_t at = 0; at < calls; at += calls / 6) {
    HostDevice device({});
    measure(device, at);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FaultTest,
                         testing::Values(Fault::kOutOfMemory, Fault::kLost, Fault::kAsync, Fault::kHang));

}  // namespace
}  // namespace anybit::model::cuda
