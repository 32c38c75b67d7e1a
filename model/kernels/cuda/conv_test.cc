// The kernels' own bodies on an emulated block, against the definition of a convolution, over the shapes and ranges of
// the CPU engine's test. No GPU.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "model/format/requantize.h"
#include "model/kernels/cuda/algorithm.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/cuda/testing/run_on_host.h"
#include "model/kernels/reference.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {
namespace {

constexpr uint8_t kGarbage = 0x5A;

// Device memory is aligned; so is this, which begins with garbage and ends with a guard.
class Memory {
 public:
  explicit Memory(int64_t bytes) : bytes_(bytes), words_(bytes / 16 + 2 + kGuard, FilledChunk()) {}
  uint8_t* data() { return reinterpret_cast<uint8_t*>(words_.data()); }
  bool guard_is_whole() {
    return std::all_of(data() + bytes_, data() + static_cast<int64_t>(words_.size()) * 16,
                       [](uint8_t byte) { return byte == kGarbage; });
  }

 private:
  static constexpr int kGuard = 64;  // chunks
  static Chunk FilledChunk() {
    Chunk chunk;
    std::memset(&chunk, kGarbage, sizeof chunk);
    return chunk;
  }
  int64_t bytes_;
  std::vector<Chunk> words_;
};

int StoredChannels(int64_t channels, bool image) {
  return static_cast<int>(image && channels <= 4 ? 4 : RoundUpTo(channels, 16));
}

struct Options {
  int64_t images = 1;
  bool residual = false;
  bool extreme = false;
  bool image_input = false;  // the network's input: four stored channels where that is enough
  bool fine = false;
};

class ConvTest : public testing::TestWithParam<std::tuple<int, Algorithm>> {
 protected:
  int architecture() const { return std::get<0>(GetParam()); }
  Algorithm algorithm() const { return std::get<1>(GetParam()); }

  int Draw(int lo, int hi, bool extreme) {
    const uint64_t r = random_();
    if (extreme || r % 4 == 0) return r >> 8 & 1 ? lo : hi;
    return lo + static_cast<int>((r >> 8) % (hi - lo + 1));
  }

  // Compares each code and each stored channel. Says whether the algorithm took the layer.
  bool Check(const ConvShape& shape, const ConvRange& range, const Options& options);

  std::mt19937_64 random_{11};
};

ConvProblem ProblemOf(const PlannedNode& node, const ConvRange& range, const std::vector<int8_t>& codes,
                      bool image_input) {
  ConvProblem problem{.geometry = {.in_height = static_cast<int>(node.in.height),
                                   .in_width = static_cast<int>(node.in.width),
                                   .in_channels = static_cast<int>(node.in.channels),
                                   .kernel = node.kernel,
                                   .stride = node.stride,
                                   .padding = node.padding,
                                   .out_height = static_cast<int>(node.out.height),
                                   .out_width = static_cast<int>(node.out.width),
                                   .outputs = static_cast<int>(node.out.channels),
                                   .out_stored = StoredChannels(node.out.channels, false),
                                   .images = 1},
                      .in_stored = StoredChannels(node.in.channels, image_input && !node.depthwise),
                      .depthwise = node.depthwise,
                      .codes = {.step = 1, .lo = range.lo, .hi = range.hi, .sign = range.signs},
                      .largest_weight = 0,
                      .highest_input = range.highest};
  for (int64_t o = 0; o < node.out.channels; ++o) {
    int64_t sum = 0;
    for (int64_t d = 0; d < node.depth; ++d) {
      const int size = std::abs(int{codes[o * node.depth + d]});
      problem.largest_weight = std::max(problem.largest_weight, size);
      sum += size;
    }
    problem.largest_sum = std::max(problem.largest_sum, sum * range.highest);
  }
  return problem;
}

bool ConvTest::Check(const ConvShape& shape, const ConvRange& range, const Options& options) {
  const PlannedNode node = NodeOf(shape);
  std::vector<int8_t> codes(node.weights());
  for (int8_t& w : codes) w = static_cast<int8_t>(Draw(range.lo, range.hi, options.extreme || range.signs));
  const ConvProblem problem = ProblemOf(node, range, codes, options.image_input);
  if (!Offers(architecture(), algorithm(), problem)) return false;

  const int64_t in_pixels = node.in.height * node.in.width, out_pixels = node.out.height * node.out.width;
  const int out_stored = problem.geometry.out_stored;
  Memory in(options.images * in_pixels * problem.in_stored), residual(options.images * out_pixels * out_stored),
      out(options.images * out_pixels * out_stored);
  std::fill_n(in.data(), options.images * in_pixels * problem.in_stored, 0);
  std::vector<std::vector<int32_t>> sums;
  const std::vector<int32_t> wide(codes.begin(), codes.end());
  for (int64_t i = 0; i < options.images; ++i) {
    std::vector<int32_t> dense;
    for (int64_t pixel = 0; pixel < in_pixels; ++pixel) {
      for (int64_t c = 0; c < shape.in; ++c) {
        dense.push_back(Draw(0, range.highest, options.extreme));
        in.data()[(i * in_pixels + pixel) * problem.in_stored + c] = static_cast<uint8_t>(dense.back());
      }
    }
    sums.push_back(ReferenceConvSums(node, dense, wide));
  }
  for (int64_t i = 0; i < options.images * out_pixels * out_stored; ++i) {
    residual.data()[i] = static_cast<uint8_t>(random_());
  }

  const int64_t padded = RoundUpTo(shape.out, kTileOutputs);
  std::vector<float> scale(padded, 0), bias(padded, 0);
  const double spread = range.hi * range.highest * 2.0 * static_cast<double>(node.depth) / 255;
  for (int64_t o = 0; o < shape.out; ++o) {
    const int32_t shown = sums[random_() % options.images][random_() % out_pixels * shape.out + o];
    scale[o] = ExactScale(options.fine ? 1 : (1 + static_cast<double>(o % 5) / 7) * 4 / spread);
    bias[o] = (options.fine ? -static_cast<float>(shown) : static_cast<float>(o % 9)) + 100.3f;
  }
  constexpr int kHighest = 201;
  constexpr float kResidualScale = 0.37f;
  const Epilogue epilogue{.scale = scale.data(),
                          .bias = bias.data(),
                          .residual = options.residual ? residual.data() : nullptr,
                          .residual_stored = out_stored,
                          .residual_scale = kResidualScale,
                          .highest = kHighest};
  Memory panel(PanelBytes(architecture(), algorithm(), problem));
  Memory workspace(WorkspaceBytes(architecture(), algorithm(), problem, options.images));
  for (const KernelCall& call : PanelCalls(architecture(), algorithm(), problem, codes.data(), nullptr, panel.data())) {
    RunOnHost(call);
  }
  const auto schedule = random_() % 2 == 0 ? Schedule::kForwardsLateCopies : Schedule::kBackwardsEarlyCopies;
  for (const KernelCall& call : ConvCalls(architecture(), algorithm(), problem, options.images,
                                          {.in = in.data(),
                                          .panel = panel.data(),
                                          .epilogue = epilogue,
                                          .workspace = workspace.data(),
                                          .out = out.data()})) {
    RunOnHost(call, schedule);
  }

  int differences = 0;
  for (int64_t i = 0; i < options.images; ++i) {
    for (int64_t at = 0; at < out_pixels * out_stored; ++at) {
      const int64_t o = at % out_stored, pixel = at / out_stored, index = i * out_pixels * out_stored + at;
      uint8_t expected = 0;
      if (o < shape.out) {
        const int32_t sum = sums[i][pixel * shape.out + o];
        expected = options.residual ? RequantizeWithResidual(sum, scale[o], bias[o], residual.data()[index],
                                                             kResidualScale, kHighest)
                                    : Requantize(sum, scale[o], bias[o], kHighest);
      }
      differences += out.data()[index] != expected;
    }
  }
  EXPECT_EQ(differences, 0) << (shape.depthwise ? "depthwise, map " : "map ") << shape.height << "x" << shape.width
                            << ", channels " << shape.in << " to " << shape.out << ", kernel " << shape.kernel
                            << ", stride " << shape.stride << ", padding " << shape.padding << "; weights " << range.lo
                            << ".." << range.hi << ", codes to " << range.highest << "; images " << options.images
                            << (options.residual ? ", residual" : "") << (options.extreme ? ", extreme" : "")
                            << (options.fine ? ", fine" : "");
  EXPECT_TRUE(out.guard_is_whole()) << "written beyond the output";
  EXPECT_TRUE(panel.guard_is_whole()) << "written beyond the panel";
  EXPECT_TRUE(workspace.guard_is_whole()) << "written beyond the workspace";
  return true;
}

TEST_P(ConvTest, EqualsTheReferenceOnEveryShapeAndRangeItTakes) {
  int taken = 0;
  for (const ConvShape& shape : kConvShapes) {
    for (const ConvRange& range : kConvRanges) {
      taken += Check(shape, range,
                     {.images = 1 + static_cast<int64_t>(random_() % 3),
                      .residual = random_() % 2 == 0,
                      .extreme = random_() % 2 == 0,
                      .fine = random_() % 2 == 0});
    }
  }
  EXPECT_GT(taken, 0);
  int depthwise = 0;
  for (const ConvShape& shape : kConvShapes) depthwise += shape.depthwise;
  const int ranges = static_cast<int>(std::size(kConvRanges));
  if (algorithm() == Algorithm::kBytes64 || algorithm() == Algorithm::kBytes128) {
    EXPECT_EQ(taken, (static_cast<int>(std::size(kConvShapes)) - depthwise) * ranges);
  }
  if (algorithm() == Algorithm::kDepthwise) {
    EXPECT_EQ(taken, depthwise * ranges);
  }
}

TEST_P(ConvTest, ReadsAnImageOfFewChannels) {
  for (int64_t channels : {1, 2, 3, 4, 5}) {
    const bool taken =
        Check({9, 10, channels, 20, 3, 1, 1}, {-127, 127, 255}, {.images = 3, .extreme = true, .image_input = true});
    EXPECT_TRUE(taken || algorithm() != Algorithm::kBytes64);
    Check({9, 10, channels, 20, 7, 2, 3}, {-8, 7, 15}, {.images = 2, .residual = true, .image_input = true});
  }
}

TEST_P(ConvTest, EqualsTheReferenceOnDeepSums) {
  for (const ConvRange& range : kConvRanges) {
    Check({4, 4, 128, 16, 3, 1, 1}, range, {.fine = true});
    Check({3, 5, 512, 16, 3, 1, 1}, range, {.images = 2, .extreme = true});
  }
}

// What the CPU engine's fitted points are fitted for: the GPU's byte Winograd takes the same ranges.
TEST(Offers, EachFittedRangeToItsWinogradTile) {
  const auto problem = [](int largest_weight, int highest) {
    return ConvProblem{.geometry = {.in_height = 8,
                                    .in_width = 8,
                                    .in_channels = 64,
                                    .kernel = 3,
                                    .stride = 1,
                                    .padding = 1,
                                    .out_height = 8,
                                    .out_width = 8,
                                    .outputs = 64,
                                    .out_stored = 64},
                       .in_stored = 64,
                       .codes = {.step = 1, .lo = -largest_weight, .hi = largest_weight},
                       .largest_weight = largest_weight,
                       .largest_sum = int64_t{9} * 64 * largest_weight * highest,
                       .highest_input = highest};
  };
  EXPECT_TRUE(Offers(90, Algorithm::kWinograd2x2, problem(14, 63)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd2x2, problem(15, 63)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd2x2, problem(14, 64)));
  EXPECT_TRUE(Offers(90, Algorithm::kWinograd2x4, problem(6, 12)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd2x4, problem(6, 13)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd2x4, problem(7, 12)));
  EXPECT_TRUE(Offers(90, Algorithm::kWinograd4x4, problem(2, 2)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd4x4, problem(3, 2)));
  EXPECT_FALSE(Offers(90, Algorithm::kWinograd4x4, problem(2, 3)));
}

TEST(Offers, NibblesAndBitsOnlyWhereTheTensorCoresHaveThem) {
  const ConvProblem problem{.geometry = {.kernel = 1, .outputs = 64, .out_stored = 64},
                            .in_stored = 64,
                            .codes = {.step = 1, .lo = -1, .hi = 1, .sign = true},
                            .largest_weight = 1,
                            .highest_input = 3};
  for (int architecture : {75, 80, 86, 89}) {
    EXPECT_TRUE(Offers(architecture, Algorithm::kNibbles64, problem)) << architecture;
    EXPECT_TRUE(Offers(architecture, Algorithm::kBits, problem)) << architecture;
  }
  EXPECT_FALSE(Offers(90, Algorithm::kNibbles64, problem));
  EXPECT_TRUE(Offers(90, Algorithm::kBits, problem));
  for (int architecture : {100, 103, 120}) {
    EXPECT_FALSE(Offers(architecture, Algorithm::kNibbles128, problem)) << architecture;
    EXPECT_FALSE(Offers(architecture, Algorithm::kBits, problem)) << architecture;
    EXPECT_TRUE(Offers(architecture, Algorithm::kBytes64, problem)) << architecture;
  }
}

TEST(Algorithm, IsFoundByItsName) {
  for (const Algorithm algorithm : AllAlgorithms()) EXPECT_EQ(AlgorithmByName(NameOf(algorithm)), algorithm);
  EXPECT_EQ(AlgorithmByName("im2col"), std::nullopt);
}

// The architectures with different bodies: bits by XOR, bits by AND. Others only offer less.
std::vector<std::tuple<int, Algorithm>> Tested() {
  std::vector<std::tuple<int, Algorithm>> tested = {{75, Algorithm::kBits}};
  for (const Algorithm algorithm : AllAlgorithms()) {
    if (algorithm != Algorithm::kFloats) tested.emplace_back(80, algorithm);
  }
  return tested;
}

INSTANTIATE_TEST_SUITE_P(All, ConvTest, testing::ValuesIn(Tested()), [](const auto& info) {
  return "sm_" + std::to_string(std::get<0>(info.param)) + "_" + NameOf(std::get<1>(info.param));
});

}  // namespace
}  // namespace anybit::model::cuda
