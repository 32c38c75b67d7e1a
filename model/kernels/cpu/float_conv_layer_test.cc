// Layers of full precision, of floats and of bfloat16 numbers: every algorithm against sums of doubles.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "model/format/bfloat16.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/pack_conv.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/testing/layer_shapes.h"
#include "model/kernels/cpu/testing/modelled_amx.h"
#include "model/kernels/cpu/testing/modelled_bfloat16.h"
#include "model/kernels/cpu/tile_scope.h"

namespace anybit::model {
namespace {

constexpr double kUnit = 0x1p-24;  // the largest relative error of one rounding
const ConvAlgorithm kSplitTiles = FloatTileConvolution{.split = true};

// One layer with random numbers, and its sums in doubles.
struct FloatLayer {
  FloatLayer(const Shape& shape, bool bfloat16, bool with_residual, int64_t count, uint64_t seed);

  // Runs it; null where the algorithm does not take it.
  std::unique_ptr<ConvLayer> Pack(const ConvAlgorithm& algorithm, const KernelTable& kernels) const {
    const ConvWeights packed{
        .codes = {}, .floats = weights, .bfloat16 = bfloat16, .scale = scale, .bias = bias, .residual_scale = 2};
    return PackConv(algorithm, kernels, node, maps, packed);
  }
  void Run(const ConvLayer& layer, const KernelTable& kernels);

  // Calls check(expected value, sum of the products' magnitudes, value) for each output.
  template <class Check>
  void ForEachOutput(const Check& check);

  const bool bfloat16;
  const int64_t count;
  PlannedNode node;
  ConvMaps maps;
  std::vector<float> weights, scale, bias;
  Images<float> in, residual, out;
};

ConvMaps MapsOf(const PlannedNode& node, bool pad_channels) {
  return {.in = MapOf(node.in, BorderFor(node), pad_channels),
          .residual = MapOf(node.out, {.before = 0, .after = 1}, true),
          .out = MapOf(node.out, {.before = 1, .after = 1}, true)};
}

FloatLayer::FloatLayer(const Shape& shape, bool bfloat16_numbers, bool with_residual, int64_t images, uint64_t seed)
    : bfloat16(bfloat16_numbers),
      count(images),
      node(NodeOf(shape)),
      maps(MapsOf(node, shape.in > 3 || shape.depthwise)),
      weights(node.weights()),
      scale(node.out.channels, 0.75f),
      bias(node.out.channels, 0.5f),
      in(maps.in, images),
      residual(maps.residual, images),
      out(maps.out, images) {
  node.has_residual = with_residual;
  node.relu = shape.out % 2 == 0;
  std::mt19937_64 random(seed);
  // All 24 bits of a float, of the size of 1.
  const auto draw = [&](double lo, double hi) {
    const auto value = static_cast<float>(lo + (hi - lo) * static_cast<double>(random() >> 11) * 0x1p-53);
    return bfloat16 ? RoundToBfloat16(value) : value;
  };
  for (float& w : weights) w = draw(-2, 2);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t y = 0; y < node.in.height; ++y) {
      for (int64_t x = 0; x < node.in.width; ++x) {
        for (int64_t c = 0; c < node.in.channels; ++c) in.at(i, y, x, c) = draw(-1, 3);
      }
    }
    for (int64_t y = 0; y < node.out.height; ++y) {
      for (int64_t x = 0; x < node.out.width; ++x) {
        for (int64_t c = 0; c < node.out.channels; ++c) residual.at(i, y, x, c) = draw(0, 2);
      }
    }
  }
}

void FloatLayer::Run(const ConvLayer& layer, const KernelTable& kernels) {
  ASSERT_LE(layer.workspace_bytes(), MaxWorkspaceBytes(kernels, node, maps));
  AlignedBuffer workspace(layer.workspace_bytes());
  std::fill_n(workspace.data(), workspace.bytes(), 0xff);  // any contents: not a number
  const TileScope scope(kernels);
  layer.Run({.in = in.memory.data(),
             .residual = node.has_residual ? residual.memory.data() : nullptr,
             .out = out.memory.data(),
             .count = count},
            workspace.data());
}

template <class Check>
void FloatLayer::ForEachOutput(const Check& check) {
  const int64_t channels = node.depthwise ? 1 : node.in.channels;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t y = 0; y < node.out.height; ++y) {
      for (int64_t x = 0; x < node.out.width; ++x) {
        for (int64_t o = 0; o < node.out.channels; ++o) {
          double sum = 0, magnitude = 0;
          for (int64_t d = 0; d < node.depth; ++d) {
            const int64_t c = node.depthwise ? o : d % channels;
            const int64_t iy = y * node.stride - node.padding + d / channels / node.kernel;
            const int64_t ix = x * node.stride - node.padding + d / channels % node.kernel;
            if (iy < 0 || ix < 0 || iy >= node.in.height || ix >= node.in.width) continue;
            const double product = double{in.at(i, iy, ix, c)} * weights[o * node.depth + d];
            sum += product;
            magnitude += std::abs(product);
          }
          double expected = sum * 0.75 + 0.5;
          if (node.has_residual) expected += residual.at(i, y, x, o) * 2.0;
          check(node.relu ? std::max(0.0, expected) : expected, magnitude, out.at(i, y, x, o));
        }
        for (int64_t c = node.out.channels; c < maps.out.stored_channels; ++c) ASSERT_EQ(out.at(i, y, x, c), 0);
      }
    }
  }
}

// The bound of float_tile_conv.h on the error of a split sum, in units of the products' magnitudes. The steps of a row
// are as many as three parts of its pixels fill, three times; a fourth of a unit is left out.
double SplitBound(const FloatLayer& layer) {
  const int64_t row_bytes = 6 * layer.node.kernel * layer.maps.in.stored_channels;
  const int64_t products = 3 * layer.node.kernel * RoundUp(row_bytes, kTileStepBytes) / kTileStepBytes;
  return (static_cast<double>(products) + 18) * (1 + 0x1p-6) * kUnit;
}

// At most one rounding of the sum so far for each product.
double DirectBound(const FloatLayer& layer) { return static_cast<double>(layer.node.depth + 1) * kUnit; }

std::vector<const KernelTable*> TestedKernels() {
  std::vector<const KernelTable*> tables = SupportedKernels();
  for (const KernelTable* table : ModelledAmxTables()) tables.push_back(table);
  for (const KernelTable* table : ModelledBfloat16Tables()) tables.push_back(table);
  return tables;
}

class FloatConvLayerTest : public testing::TestWithParam<std::tuple<const KernelTable*, ConvAlgorithm>> {
 protected:
  const KernelTable& kernels() const { return *std::get<0>(GetParam()); }
  ConvAlgorithm algorithm() const { return std::get<1>(GetParam()); }

  // Whether the algorithm is offered for such a layer.
  bool IsOffered(bool bfloat16, bool depthwise) const {
    if (algorithm() == ConvAlgorithm(DirectConvolution{Operand::kFloats})) return true;
    if (std::holds_alternative<FloatTileConvolution>(algorithm()) && kernels().tiles == nullptr) return false;
    return !depthwise && bfloat16 == (algorithm() != kSplitTiles);
  }
};

TEST_P(FloatConvLayerTest, SumsToTheBoundOfItsAlgorithm) {
  uint64_t seed = 0;
  for (const Shape& shape : kShapes) {
    for (bool bfloat16 : {false, true}) {
      ++seed;
      FloatLayer layer(shape, bfloat16, seed % 3 != 0, 1 + static_cast<int64_t>(seed % 2) * 2, seed);
      const auto packed = layer.Pack(algorithm(), kernels());
      ASSERT_EQ(packed != nullptr, IsOffered(bfloat16, shape.depthwise));
      if (packed == nullptr) continue;
      layer.Run(*packed, kernels());
      const double of_sum = algorithm() == kSplitTiles ? SplitBound(layer) : DirectBound(layer);
      layer.ForEachOutput([&](double expected, double magnitude, float got) {
        // Two or three roundings more are those of the epilogue.
        const double bound = 0.75 * of_sum * magnitude + 3 * kUnit * (std::abs(expected) + magnitude + 4);
        const double lo = expected - bound, hi = expected + bound;
        const auto end = [&](double value) {
          return bfloat16 ? RoundToBfloat16(static_cast<float>(value)) : static_cast<float>(value);
        };
        ASSERT_TRUE(got >= end(lo) && got <= end(hi))
            << got << ", expected " << expected << " within " << bound << "; " << shape.height << "x" << shape.width
            << ", channels " << shape.in << " to " << shape.out << ", kernel " << shape.kernel << ", stride "
            << shape.stride;
        if (bfloat16) {
          ASSERT_EQ(got, RoundToBfloat16(got));
        }
      });
      if (HasFatalFailure()) return;
    }
  }
}

// Sums of these layers are of several chunks of a panel, and of more pixels than a kernel takes at once.
TEST_P(FloatConvLayerTest, SumsDeepLayersToTheSameBound) {
  for (bool bfloat16 : {false, true}) {
    if (!IsOffered(bfloat16, false)) continue;
    for (const Shape& shape : {Shape{12, 13, 144, 64, 3, 1, 1}, Shape{3, 3, 512, 80, 1, 1, 0}}) {
      FloatLayer layer(shape, bfloat16, true, 2, 5);
      layer.Run(*layer.Pack(algorithm(), kernels()), kernels());
      const double of_sum = algorithm() == kSplitTiles ? SplitBound(layer) : DirectBound(layer);
      layer.ForEachOutput([&](double expected, double magnitude, float got) {
        const double bound = 0.75 * of_sum * magnitude + 3 * kUnit * (std::abs(expected) + magnitude + 4);
        const double rounding = bfloat16 ? std::abs(expected) * 0x1p-8 : 0;
        ASSERT_NEAR(got, expected, bound + rounding);
      });
    }
  }
}

// Six products of bfloat16 numbers err less than one chain of fused multiply-adds, not only in their bound.
TEST_P(FloatConvLayerTest, SplitSumsAreNearerThanFusedMultiplyAdds) {
  if (algorithm() != kSplitTiles || !IsOffered(false, false)) return;
  for (int64_t channels : {32, 64, 256}) {
    FloatLayer layer({4, 4, channels, 32, 3, 1, 0}, false, false, 1, 9);
    layer.Run(*layer.Pack(algorithm(), kernels()), kernels());
    double split = 0, fused = 0;
    size_t index = 0;
    layer.ForEachOutput([&](double expected, double, float got) {
      const auto o = static_cast<int64_t>(index % 32), pixel = static_cast<int64_t>(index++ / 32);
      float sum = 0;
      for (int64_t d = 0; d < layer.node.depth; ++d) {
        const int64_t y = pixel / 2 + d / channels / 3, x = pixel % 2 + d / channels % 3;
        sum = std::fma(layer.in.at(0, y, x, d % channels), layer.weights[o * layer.node.depth + d], sum);
      }
      const double of_fused = std::max(0.0, std::fma(sum, 0.75, 0.5));
      split += (got - expected) * (got - expected);
      fused += (of_fused - expected) * (of_fused - expected);
    });
    EXPECT_GT(split, 0);
    EXPECT_LT(split, fused) << channels;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FloatConvLayerTest,
                         testing::Combine(testing::ValuesIn(TestedKernels()),
                                          testing::Values(DirectConvolution{Operand::kFloats},
                                                          DirectConvolution{Operand::kBfloats}, FloatTileConvolution{},
                                                          kSplitTiles)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->name) + "_" + NameOf(std::get<1>(info.param));
                         });

class FloatKernelsTest : public testing::TestWithParam<const KernelTable*> {};

TEST_P(FloatKernelsTest, SplitFloatsIntoThreeNumbersWhoseSumTheyAre) {
  constexpr int64_t kPixels = 3, kChannels = 20;
  std::mt19937_64 random(3);
  std::vector<float> in(kPixels * kChannels);
  for (float& value : in) value = static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-50 - 4);
  std::vector<uint16_t> parts(3 * in.size());
  GetParam()->split_floats(in.data(), kPixels, kChannels, parts.data());
  for (int64_t pixel = 0; pixel < kPixels; ++pixel) {
    for (int64_t c = 0; c < kChannels; ++c) {
      const float value = in[pixel * kChannels + c];
      const auto part = [&](int i) { return WidenBfloat16(parts[(pixel * 3 + i) * kChannels + c]); };
      EXPECT_EQ(part(0), RoundToBfloat16(value));
      EXPECT_EQ(part(1), RoundToBfloat16(value - part(0)));
      EXPECT_EQ(double{part(0)} + part(1) + part(2), value);
    }
  }
}

TEST_P(FloatKernelsTest, NarrowBfloat16Numbers) {
  std::vector<float> in;
  for (int i = 0; i < 37; ++i) in.push_back(RoundToBfloat16(static_cast<float>(i * i) / 7 - 20));
  std::vector<uint16_t> out(in.size());
  GetParam()->narrow(in.data(), static_cast<int64_t>(in.size()), out.data());
  for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(WidenBfloat16(out[i]), in[i]);
}

TEST_P(FloatKernelsTest, MultiplyVectorsOfAnyLength) {
  for (int64_t depth : {1, 15, 16, 63, 64, 65, 200}) {
    std::vector<float> in, weights;
    double sum = 0;
    for (int64_t d = 0; d < depth; ++d) {
      in.push_back(static_cast<float>(d % 7) + 0.25f);
      weights.push_back(static_cast<float>(d % 5) - 1.5f);
      sum += double{in.back()} * weights.back();
    }
    EXPECT_EQ(GetParam()->dot_floats(in.data(), weights.data(), depth), sum);  // all partial sums are exact
  }
}

INSTANTIATE_TEST_SUITE_P(All, FloatKernelsTest, testing::ValuesIn(TestedKernels()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace anybit::model
