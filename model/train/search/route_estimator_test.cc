#include "model/train/search/route_estimator.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"
#include "model/testing/reference_network.h"

namespace anybit::model::train {
namespace {

constexpr int kImages = 16;
// Between them: residuals with and without ReLU, depthwise layers, padded pools, clips.
constexpr const char* kArchitectures[] = {
    "fashion_tiny:side=8",
    "mobilenetv2:width=0.125,side=8,classes=10",
    "resnet50_imagenet:width=0.015625,side=32,classes=10",
    "clip:width=0.125,side=8,frames=2,classes=10",
};

const KernelTable& Kernels() { return *SupportedKernels().front(); }

// An artifact, its images and an estimator over both.
struct Subject {
  explicit Subject(const std::string& architecture, int threads = 1)
      : artifact(RandomArtifact(*ArchitectureByName(architecture), 5)),
        ladder(*FindRungs(artifact, {"w8a8", "w4a4f", "w3a2f", "w1a1"})),
        images(RandomImages(artifact, kImages, 7)),
        estimator(*RouteEstimator::Create(artifact, ladder, images, Kernels(), threads)) {}

  // Each layer at another rung than its source.
  Route Mixed() const {
    Route route;
    for (int layer = 0; layer < estimator->tree().layers(); ++layer) route.push_back((layer * 3 + 1) % ladder.size());
    TieLayers(estimator->tree(), route);
    return route;
  }

  // The nodes' codes, computed by definition, on the images.
  std::vector<LayerTrace> Reference(const ArtifactPoint& point) const {
    Artifact with = artifact;
    with.points = {point};
    const size_t row = images.size() / kImages;
    std::vector<LayerTrace> traces;
    std::vector<float> logits;
    for (int i = 0; i < kImages; ++i) {
      traces.push_back(ReferenceRun(with, ToPointId(0), std::span(images).subspan(i * row, row), logits));
    }
    return traces;
  }

  Artifact artifact;
  Ladder ladder;
  std::vector<uint8_t> images;
  std::unique_ptr<RouteEstimator> estimator;
};

TEST(RouteEstimatorTest, UniformRouteIsTheOperatingPointItself) {
  const Subject subject(kArchitectures[0]);
  for (int rung = 0; rung < subject.ladder.size(); ++rung) {
    const ArtifactPoint point = *subject.estimator->Estimate(UniformRoute(subject.estimator->tree(), rung), "mixed1");
    const ArtifactPoint& own = subject.artifact.points[subject.ladder.points[rung]];
    for (size_t layer = 0; layer < own.layers.size(); ++layer) {
      EXPECT_EQ(point.layers[layer].scale, own.layers[layer].scale);
      EXPECT_EQ(point.layers[layer].bias, own.layers[layer].bias);
    }
    EXPECT_EQ(point.info.weight_bits, own.info.weight_bits);
    EXPECT_EQ(point.info.activation_bits, own.info.activation_bits);
  }
}

TEST(RouteEstimatorTest, EngineRunsARouteWithTheCodesOfTheDefinition) {
  for (const char* architecture : kArchitectures) {
    SCOPED_TRACE(architecture);
    const Subject subject(architecture);
    const ArtifactPoint point = *subject.estimator->Estimate(subject.Mixed(), "mixed1");
    Artifact with = subject.artifact;
    with.points.push_back(point);
    ASSERT_TRUE(ValidateArtifact(with).ok()) << ValidateArtifact(with);
    const auto network = *PackedNetwork::Create(with, Kernels());
    const LayerTrace engine = *network->Trace(ToPointId(static_cast<int>(with.points.size()) - 1),
                                              std::span(subject.images).first(subject.images.size() / kImages));
    const LayerTrace expected = subject.Reference(point).front();
    for (size_t node = 0; node < expected.size(); ++node) {
      EXPECT_EQ(engine[node].codes, expected[node].codes) << expected[node].node;
    }
  }
}

TEST(RouteEstimatorTest, CodesOfTheLastConvolutionAreTheDefinitions) {
  for (const char* architecture : kArchitectures) {
    SCOPED_TRACE(architecture);
    const Subject subject(architecture);
    const std::vector<LayerTrace> traces = subject.Reference(*subject.estimator->Estimate(subject.Mixed(), "mixed1"));
    std::vector<uint8_t> expected;
    for (const LayerTrace& trace : traces) {
      const std::vector<int32_t>& codes = trace[trace.size() - 3].codes;  // before the pool and the linear node
      expected.insert(expected.end(), codes.begin(), codes.end());
    }
    const std::span<const uint8_t> codes = subject.estimator->last_codes();
    EXPECT_EQ(std::vector<uint8_t>(codes.begin(), codes.end()), expected);
  }
}

// The mean and the deviation of a channel's real sums, before rounding, follow from codes only where none is clipped.
// So the route's first changed layer is checked through its scale: equal sums would need equal scales.
TEST(RouteEstimatorTest, SumsGetTheMomentsOfTheLayersOwnRung) {
  const Subject subject(kArchitectures[0]);
  Route route = UniformRoute(subject.estimator->tree(), 0);
  route[0] = 1;  // the stem's codes: 0..12 in place of 0..255
  const ArtifactPoint point = *subject.estimator->Estimate(route, "mixed1");
  const ArtifactPoint& own = subject.artifact.points[subject.ladder.points[0]];
  const NetworkPlan& plan = subject.estimator->plan();
  const PlannedNode& node = plan.layer(1);
  // Real values of the second layer at both points, by definition.
  const auto moments = [&](const ArtifactPoint& of) {
    std::vector<double> mean(node.out.channels), square(node.out.channels);
    Artifact with = subject.artifact;
    with.points = {of};
    double count = 0;
    for (const LayerTrace& trace : subject.Reference(of)) {
      const std::vector<int32_t>& in = trace[node.input].codes;
      const int64_t pad = node.padding;
      for (int64_t y = 0; y < node.out.height; ++y) {
        for (int64_t x = 0; x < node.out.width; ++x, ++count) {
          for (int64_t o = 0; o < node.out.channels; ++o) {
            int64_t sum = 0;
            for (int64_t d = 0; d < node.depth; ++d) {
              const int64_t c = d % node.in.channels, dx = d / node.in.channels % node.kernel;
              const int64_t dy = d / node.in.channels / node.kernel;
              const int64_t iy = y * node.stride + dy - pad, ix = x * node.stride + dx - pad;
              if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
              sum += int64_t{in[(iy * node.in.width + ix) * node.in.channels + c]} *
                     subject.artifact.store[1].q8[o * node.depth + d];
            }
            const double value = static_cast<double>(sum) * of.layers[1].scale[o] + of.layers[1].bias[o];
            mean[o] += value;
            square[o] += value * value;
          }
        }
      }
    }
    for (int64_t o = 0; o < node.out.channels; ++o) {
      mean[o] /= count;
      square[o] = std::sqrt(square[o] / count - mean[o] * mean[o]);
    }
    return std::pair(mean, square);
  };
  // At w8a8 the second layer's weights are the store itself, which the sums above use.
  ASSERT_EQ(own.layers[1].weights, CodeRange{});
  const auto [mean, deviation] = moments(point);
  const auto [own_mean, own_deviation] = moments(own);
  for (int64_t o = 0; o < node.out.channels; ++o) {
    EXPECT_NEAR(mean[o], own_mean[o], 1e-3);
    EXPECT_NEAR(deviation[o], own_deviation[o], 1e-3 * own_deviation[o]);
  }
}

TEST(RouteEstimatorTest, ResultDoesNotDependOnThreadsOrOnRoutesBefore) {
  const Subject one(kArchitectures[0]), three(kArchitectures[0], 3);
  Route other = one.Mixed();
  std::reverse(other.begin(), other.end());
  TieLayers(one.estimator->tree(), other);
  ASSERT_TRUE(three.estimator->Estimate(other, "before").ok());
  const ArtifactPoint a = *one.estimator->Estimate(one.Mixed(), "a"), b = *three.estimator->Estimate(one.Mixed(), "b");
  for (size_t layer = 0; layer < a.layers.size(); ++layer) {
    EXPECT_EQ(a.layers[layer].scale, b.layers[layer].scale);
    EXPECT_EQ(a.layers[layer].bias, b.layers[layer].bias);
    EXPECT_EQ(a.layers[layer].residual_scale, b.layers[layer].residual_scale);
  }
}

TEST(RouteEstimatorTest, NodesThatItDoesNotKnowAreRefused) {
  const Subject subject(kArchitectures[0]);
  const Artifact gated = RandomArtifact(GatedNetwork(), 1);
  const std::vector<uint8_t> images = RandomImages(gated, 2, 1);
  const std::string message(RouteEstimator::Create(gated, subject.ladder, images, Kernels(), 1).status().message());
  EXPECT_THAT(message, testing::HasSubstr("cannot be searched; accepted: convolutions with ReLU or without"));
}

TEST(RouteEstimatorTest, ImagesThatAreNoWholeRowsAreRefused) {
  const Subject subject(kArchitectures[0]);
  EXPECT_EQ(RouteEstimator::Create(subject.artifact, subject.ladder, std::span(subject.images).first(65), Kernels(), 1)
                .status()
                .message(),
            "65 codes are not a whole number of images of 64");
}

}  // namespace
}  // namespace anybit::model::train
