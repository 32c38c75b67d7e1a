#include "model/kernels/cpu/pack_conv.h"

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "model/format/requantize.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/testing/layer_shapes.h"
#include "model/kernels/cpu/tile_scope.h"
#include "model/kernels/reference.h"
#include "model/kernels/testing/conv_cases.h"
#ifdef ANYBIT_MODEL_AMX
#include "model/kernels/cpu/testing/modelled_amx.h"
#endif
#ifdef ANYBIT_REPLACE_AVX_VNNI
#include "tests/emulation/avx_vnni.h"
#endif

namespace anybit::model {
namespace {

using Range = ConvRange;

const ConvAlgorithm kWords = DirectConvolution{Operand::kWords}, kDepthwise = DepthwiseConvolution{},
                    kTiles = TileConvolution{};

// Whether it runs on tiles.
bool OnTiles(const ConvAlgorithm& algorithm) {
  const auto* winograd = std::get_if<WinogradConvolution>(&algorithm);
  return std::holds_alternative<TileConvolution>(algorithm) || (winograd != nullptr && winograd->tiles);
}

// Whether every kernel table offers `algorithm`.
bool IsAlwaysOffered(const ConvAlgorithm& algorithm) {
  if (const auto* winograd = std::get_if<WinogradConvolution>(&algorithm)) {
    return winograd->kind == WinogradKind::kWords4x4 || winograd->kind == WinogradKind::kWords2x4 ||
           winograd->kind == WinogradKind::kWordsStride2_4x4;
  }
  return algorithm != ConvAlgorithm(DirectConvolution{Operand::kBytes}) &&
         !std::holds_alternative<TileConvolution>(algorithm);
}

class ConvLayerTest : public testing::TestWithParam<std::tuple<const KernelTable*, ConvAlgorithm>> {
 protected:
  const KernelTable& kernels() const { return *std::get<0>(GetParam()); }
  ConvAlgorithm algorithm() const { return std::get<1>(GetParam()); }

  // Extreme operands half of the time: the ends of the range are where a kernel overflows.
  int Draw(int lo, int hi, bool extreme) {
    const uint64_t r = random_();
    if (extreme || r % 4 == 0) return r >> 8 & 1 ? lo : hi;
    return lo + static_cast<int>((r >> 8) % (hi - lo + 1));
  }

  // Runs one layer and compares each code, every border and every padded channel. Says whether the algorithm took it.
  bool Check(const Shape& shape, const Range& range, int64_t count, bool with_residual, bool pad_channels,
             bool extreme);

  // The same, with scales so coarse that codes span all sums, or so fine that each output shows single units of the
  // sums near that of one pixel.
  bool CheckScaled(const Shape& shape, const Range& range, int64_t count, bool with_residual, bool pad_channels,
                   bool extreme, bool fine);

  std::mt19937_64 random_{7};
};

// Computes an image by some rows at a time, from memory that begins with the rows that are read.
void RunByRows(const ConvLayer& layer, const PlannedNode& node, const ConvMaps& maps, const ConvImages& images,
               int64_t image, uint8_t* workspace) {
  constexpr int64_t kRows = 3;
  for (int64_t y = 0; y < node.out.height; y += kRows) {
    const RowRange rows{.first = y,
                        .count = std::min(kRows, node.out.height - y),
                        .in_base = y * node.stride,
                        .residual_base = y,
                        .out_base = y};
    const auto at = [&](const void* base, const FeatureMap& map, int64_t row) {
      return static_cast<const uint8_t*>(base) + image * map.image_stride() + row * map.row_stride();
    };
    layer.Run({.in = at(images.in, maps.in, rows.in_base),
               .residual = images.residual == nullptr ? nullptr : at(images.residual, maps.residual, y),
               .out = const_cast<uint8_t*>(at(images.out, maps.out, y)),
               .count = 1,
               .rows = rows},
              workspace);
  }
}

bool ConvLayerTest::Check(const Shape& shape, const Range& range, int64_t count, bool with_residual, bool pad_channels,
                          bool extreme) {
  if (OnTiles(algorithm()) && kernels().tiles == nullptr) return false;
  const bool taken = CheckScaled(shape, range, count, with_residual, pad_channels, extreme, false);
  return taken && CheckScaled(shape, range, count, with_residual, pad_channels, extreme, true);
}

bool ConvLayerTest::CheckScaled(const Shape& shape, const Range& range, int64_t count, bool with_residual,
                                bool pad_channels, bool extreme, bool fine) {
  PlannedNode node = NodeOf(shape);
  node.has_residual = with_residual;
  const ConvMaps maps{.in = MapOf(node.in, BorderFor(node), pad_channels),
                      .residual = MapOf(node.out, {.before = 2, .after = 3}, true),
                      .out = MapOf(node.out, {.before = 1, .after = 2}, true)};
  std::vector<int16_t> codes(node.weights());
  for (int16_t& w : codes) {
    w = static_cast<int16_t>(Draw(range.lo, range.hi, extreme || range.signs));
  }
  // No output may lie beyond the images, where kernels that take several together could write.
  constexpr int64_t kNoImages = 3;
  Images<uint8_t> in(maps.in, count), residual(maps.residual, count), out(maps.out, count + kNoImages);
  std::vector<std::vector<int32_t>> sums(count);  // of each image, by definition
  const std::vector<int32_t> wide(codes.begin(), codes.end());
  for (int64_t i = 0; i < count; ++i) {
    std::vector<int32_t> dense;
    for (int64_t y = 0; y < shape.height; ++y) {
      for (int64_t x = 0; x < shape.width; ++x) {
        for (int64_t c = 0; c < shape.in; ++c) {
          dense.push_back(Draw(0, range.highest, extreme));
          in.at(i, y, x, c) = static_cast<uint8_t>(dense.back());
        }
      }
    }
    sums[i] = ReferenceConvSums(node, dense, wide);
    for (int64_t y = 0; y < node.out.height; ++y) {
      for (int64_t x = 0; x < node.out.width; ++x) {
        for (int64_t c = 0; c < node.out.channels; ++c) {
          residual.at(i, y, x, c) = static_cast<uint8_t>(Draw(0, 255, false));
        }
      }
    }
  }

  std::vector<float> scale, bias;
  const double spread = range.hi * range.highest * 2.0 * static_cast<double>(node.depth) / 255;
  const int64_t pixels = node.out.height * node.out.width;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    const int64_t pixel = static_cast<int64_t>(random_() % pixels);
    const int32_t shown = sums[random_() % count][pixel * node.out.channels + o];
    scale.push_back(ExactScale(fine ? 1 : (1 + static_cast<double>(o % 5) / 7) * 4 / spread));
    bias.push_back((fine ? -static_cast<float>(shown) : static_cast<float>(o % 9)) + 100.3f);
  }
  const int highest_output = 201;
  const ConvWeights weights{.codes = codes,
                            .floats = {},
                            .signs = range.signs,
                            .highest_input = range.highest,
                            .scale = scale,
                            .bias = bias,
                            .residual_scale = 0.37f,
                            .highest_output = highest_output};
  const std::unique_ptr<ConvLayer> layer = PackConv(algorithm(), kernels(), node, maps, weights);
  if (layer == nullptr) return false;
  EXPECT_GT(layer->panel_bytes(), 0);
  EXPECT_LE(layer->workspace_bytes(), MaxWorkspaceBytes(kernels(), node, maps));
  EXPECT_EQ(layer->TakesRows(), std::holds_alternative<DirectConvolution>(algorithm()) ||
                                    std::holds_alternative<DepthwiseConvolution>(algorithm()));
  AlignedBuffer workspace(layer->workspace_bytes());
  std::fill_n(workspace.data(), workspace.bytes(), 0xa5);  // any contents
  const TileScope scope(kernels());
  layer->Run({.in = in.memory.data(),
              .residual = with_residual ? residual.memory.data() : nullptr,
              .out = out.memory.data(),
              .count = count},
             workspace.data());

  Images<uint8_t> expected(maps.out, count + kNoImages);
  for (int64_t i = 0; i < count; ++i) {
    size_t next = 0;
    for (int64_t y = 0; y < node.out.height; ++y) {
      for (int64_t x = 0; x < node.out.width; ++x) {
        for (int64_t o = 0; o < node.out.channels; ++o, ++next) {
          expected.at(i, y, x, o) = with_residual
                                        ? RequantizeWithResidual(sums[i][next], scale[o], bias[o],
                                                                 residual.at(i, y, x, o), 0.37f, highest_output)
                                        : Requantize(sums[i][next], scale[o], bias[o], highest_output);
        }
      }
    }
  }
  const std::vector<uint8_t> got(out.memory.data(), out.memory.data() + out.memory.bytes());
  const std::vector<uint8_t> want(expected.memory.data(), expected.memory.data() + expected.memory.bytes());
  EXPECT_EQ(got == want, true) << (shape.depthwise ? "depthwise, map " : "map ") << shape.height << "x" << shape.width
                               << ", channels " << shape.in << " to " << shape.out << ", kernel " << shape.kernel
                               << ", stride " << shape.stride << ", padding " << shape.padding << "; weights "
                               << range.lo << ".." << range.hi << ", codes to " << range.highest << "; images " << count
                               << (with_residual ? ", residual" : "") << (extreme ? ", extreme" : "")
                               << (fine ? ", fine" : "");
  if (layer->TakesRows()) {
    Images<uint8_t> by_rows(maps.out, count + kNoImages);
    const ConvImages images{.in = in.memory.data(),
                            .residual = with_residual ? residual.memory.data() : nullptr,
                            .out = by_rows.memory.data(),
                            .count = count};
    for (int64_t i = 0; i < count; ++i) RunByRows(*layer, node, maps, images, i, workspace.data());
    EXPECT_EQ(std::equal(want.begin(), want.end(), by_rows.memory.data()), true)
        << "by rows: map " << shape.height << "x" << shape.width << ", channels " << shape.in << " to " << shape.out
        << ", kernel " << shape.kernel << ", stride " << shape.stride;
  }
  return true;
}

TEST_P(ConvLayerTest, EqualsTheReferenceOnEveryShapeAndRangeItTakes) {
  int taken = 0;
  for (const Shape& shape : kShapes) {
    for (const Range& range : kConvRanges) {
      for (bool extreme : {false, true}) {
        taken += Check(shape, range, 1 + static_cast<int64_t>(random_() % 3), random_() % 2 == 0, true, extreme);
      }
    }
  }
  // Byte tiles are for few codes; words and the direct path are for all.
  const bool has_bytes = kernels().convolve[static_cast<int>(Operand::kBytes)] != nullptr;
  const bool has_tiles =
      kernels().tiles != nullptr && (std::holds_alternative<TileConvolution>(algorithm()) || has_bytes);
  const bool offered = OnTiles(algorithm()) ? has_tiles : has_bytes || IsAlwaysOffered(algorithm());
  if (offered) {
    EXPECT_GT(taken, 0);
  }
  int depthwise = 0;
  for (const Shape& shape : kShapes) depthwise += shape.depthwise;
  if (algorithm() == kWords || (kernels().tiles != nullptr && algorithm() == kTiles)) {
    EXPECT_EQ(taken, (static_cast<int>(std::size(kShapes)) - depthwise) * static_cast<int>(std::size(kConvRanges)) * 2);
  }
  if (algorithm() == kDepthwise) {
    EXPECT_EQ(taken, depthwise * static_cast<int>(std::size(kConvRanges)) * 2);
  }
}

TEST_P(ConvLayerTest, EqualsTheReferenceForEveryNumberOfImages) {
  for (int64_t count = 1; count <= 33; ++count) {
    for (const Range& range : {Range{-127, 127, 255}, Range{-2, 2, 2}, Range{-1, 1, 1, true}}) {
      Check({4, 4, 32, 32, 3, 1, 1}, range, count, true, true, false);
      Check({7, 7, 16, 16, 3, 1, 1}, range, count, false, true, false);
      // Narrow maps whose images share tiles: what a last tile lacks of images repeats by four.
      if (!OnTiles(algorithm()) || count > 9) continue;
      Check({3, 3, 64, 64, 3, 1, 1}, range, count, true, true, false);
      Check({4, 4, 64, 64, 3, 1, 1}, range, count, true, true, false);
      Check({7, 7, 64, 64, 1, 1, 0}, range, count, false, true, false);
      Check({8, 8, 64, 64, 3, 2, 1}, range, count, true, true, false);
    }
  }
}

TEST_P(ConvLayerTest, ReadsAnImageWithoutPaddedChannels) {
  for (int64_t channels : {1, 2, 3, 5}) {
    const bool taken = Check({9, 10, channels, 20, 3, 1, 1}, {-127, 127, 255}, 3, false, false, true);
    EXPECT_TRUE(taken || algorithm() != kWords);
    Check({9, 10, channels, 20, 3, 2, 1}, {-8, 7, 15}, 3, false, false, true);
    Check({9, 10, channels, 20, 5, 1, 2}, {-2, 2, 3}, 2, true, false, false);
  }
}

// As many channels as the widest layers have: sums reach the limits that admission guards.
TEST_P(ConvLayerTest, EqualsTheReferenceOnDeepSums) {
  for (const Range& range : kConvRanges) {
    for (int64_t channels : {128, 256, 512}) {
      Check({4, 4, channels, 16, 3, 1, 1}, range, 1, false, true, false);
      Check({3, 5, channels, 16, 3, 1, 1}, range, 2, false, true, true);
    }
  }
}

#ifdef ANYBIT_REPLACE_AVX_VNNI
std::vector<const KernelTable*> TestedKernels() {
  if (!ReplaceAvxVnni()) return {};
  return {&AvxVnniKernels()};
}
#elif defined(ANYBIT_MODEL_AMX)
std::vector<const KernelTable*> TestedKernels() { return ModelledAmxTables(); }
#else
std::vector<const KernelTable*> TestedKernels() { return SupportedKernels(); }
#endif

// A model's table has its own kernels for tiles only.
std::vector<ConvAlgorithm> TestedAlgorithms() {
#ifdef ANYBIT_MODEL_AMX
  std::vector<ConvAlgorithm> algorithms;
  for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
    if (OnTiles(algorithm)) algorithms.push_back(algorithm);
  }
  return algorithms;
#else
  std::vector<ConvAlgorithm> algorithms;  // float_conv_layer_test.cc has the others
  for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
    if (!ForFloats(algorithm)) algorithms.push_back(algorithm);
  }
  return algorithms;
#endif
}

INSTANTIATE_TEST_SUITE_P(All, ConvLayerTest,
                         testing::Combine(testing::ValuesIn(TestedKernels()), testing::ValuesIn(TestedAlgorithms())),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->name) + "_" + NameOf(std::get<1>(info.param));
                         });

TEST(ConvAlgorithm, IsFoundByItsName) {
  for (const ConvAlgorithm& algorithm : AllConvAlgorithms())
    EXPECT_EQ(ConvAlgorithmByName(NameOf(algorithm)), algorithm);
  EXPECT_EQ(ConvAlgorithmByName("im2col"), std::nullopt);
}

}  // namespace
}  // namespace anybit::model
