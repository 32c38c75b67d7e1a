// The kernels' own bodies on an emulated block, against the definition of a convolution, over the shapes and ranges of
// the CPU engine's test. No GPU.
#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "model/kernels/cuda/algorithm.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/cuda/testing/conv_case.h"
#include "model/kernels/cuda/testing/run_on_host.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {
namespace {

constexpr uint8_t kGarbage = 0x5A;

// Device memory is aligned; so is this, which begins with garbage and ends with a guard.
class Memory {
 public:
  explicit Memory(int64_t bytes) : bytes_(bytes), words_(bytes / 16 + 2 + kGuard, FilledChunk()) {}
  explicit Memory(const std::vector<uint8_t>& bytes) : Memory(static_cast<int64_t>(bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), data());
  }
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

class ConvTest : public testing::TestWithParam<std::tuple<int, Algorithm>> {
 protected:
  int architecture() const { return std::get<0>(GetParam()); }
  Algorithm algorithm() const { return std::get<1>(GetParam()); }

  // Compares each code and each stored channel. Says whether the algorithm took the layer.
  bool Check(const ConvShape& shape, const ConvRange& range, const ConvCaseOptions& options);

  std::mt19937_64 random_{11};
};

bool ConvTest::Check(const ConvShape& shape, const ConvRange& range, const ConvCaseOptions& options) {
  const ConvCase conv = MakeConvCase(shape, range, options, random_);
  const ConvProblem& problem = conv.problem;
  if (!Offers(architecture(), algorithm(), problem)) return false;
  Memory in(conv.in), residual(conv.residual), out(static_cast<int64_t>(conv.expected.size()));
  Memory panel(PanelBytes(architecture(), algorithm(), problem));
  Memory workspace(WorkspaceBytes(architecture(), algorithm(), problem, conv.images));
  for (const KernelCall& call :
       PanelCalls(architecture(), algorithm(), problem, conv.store.data(), nullptr, panel.data())) {
    RunOnHost(call);
  }
  const Epilogue epilogue{.scale = conv.scale.data(),
                          .bias = conv.bias.data(),
                          .scale_and_bias = conv.scale_and_bias.data(),
                          .residual = options.residual ? residual.data() : nullptr,
                          .residual_stored = problem.residual_stored,
                          .residual_scale = conv.residual_scale,
                          .highest = static_cast<float>(conv.highest)};
  const auto schedule = random_() % 2 == 0 ? Schedule::kForwardsLateCopies : Schedule::kBackwardsEarlyCopies;
  for (const KernelCall& call : ConvCalls(architecture(), algorithm(), problem, conv.images,
                                          {.in = in.data(),
                                          .panel = panel.data(),
                                          .epilogue = epilogue,
                                          .workspace = workspace.data(),
                                          .out = out.data()})) {
    RunOnHost(call, schedule);
  }
  EXPECT_TRUE(std::equal(conv.expected.begin(), conv.expected.end(), out.data())) << conv.text;
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
    const bool of_floats = algorithm == Algorithm::kFloats || algorithm == Algorithm::kBfloat16Of64 ||
                           algorithm == Algorithm::kBfloat16Of128;  // float_conv_test.cc
    if (!of_floats) tested.emplace_back(80, algorithm);
  }
  return tested;
}

INSTANTIATE_TEST_SUITE_P(All, ConvTest, testing::ValuesIn(Tested()), [](const auto& info) {
  return "sm_" + std::to_string(std::get<0>(info.param)) + "_" + NameOf(std::get<1>(info.param));
});

}  // namespace
}  // namespace anybit::model::cuda
