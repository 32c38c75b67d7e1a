// Whole layers by every algorithm, beside the direct int8 convolution of the same shape, run in turns:
//   bazel run -c opt //model/kernels/cpu:conv_layer_benchmark
// Counters: GMAC/s; peak%, of the instruction set's fastest exact inner loop on operands in the first-level cache,
// measured in this process (`spin`); x_direct, times the speed of the direct 8-bit path (bytes, or words where bytes
// are too narrow) (median over rounds). A layer is compared with the direct path code by code before it is timed.
// Instruction set: the best of this machine, or --isa=NAME as the first argument.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/statistics.h"
#include "model/format/requantize.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/pack_conv.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/peak.h"
#include "model/kernels/cpu/tile_scope.h"

namespace anybit::model {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

struct Case {
  int64_t channels, side, images;  // of the input
  int stride = 1;
  int kernel = 3;
  int64_t outputs = 0;  // 0: as many as channels
  bool residual = false;
  bool depthwise = false;
};
// The layers of the default network, ResNet-18 and ResNet-20; then of ResNet-50 and MobileNetV2 on images of 224 x 224.
constexpr Case kCases[] = {{16, 32, 8},
                           {32, 16, 8},
                           {64, 16, 8},
                           {64, 32, 2},
                           {128, 8, 8},
                           {128, 16, 4},
                           {256, 4, 32},
                           {256, 8, 8},
                           {512, 4, 32},
                           {64, 32, 8, 2},
                           {128, 16, 8, 2},
                           {256, 8, 16, 2},
                           {3, 224, 1, 2, 7, 64},
                           {64, 8, 1, 1, 1, 64},
                           {64, 16, 1, 1, 1, 64},
                           {16, 16, 1, 1, 1, 64},
                           {64, 56, 1, 1, 1, 64},
                           {64, 56, 1, 1, 1, 256},
                           {64, 56, 1, 1, 1, 256, true},
                           {256, 56, 1, 1, 1, 64},
                           {128, 28, 1, 1, 1, 512, true},
                           {512, 28, 1, 1, 1, 128},
                           {512, 28, 1, 2, 1, 1024},
                           {256, 14, 1, 1, 1, 1024, true},
                           {1024, 14, 1, 1, 1, 256},
                           {256, 14, 1},
                           {512, 7, 1, 1, 1, 2048, true},
                           {2048, 7, 1, 1, 1, 512},
                           {512, 7, 1},
                           {3, 224, 1, 2, 3, 32},
                           {16, 112, 1, 1, 1, 96},
                           {96, 56, 1, 1, 1, 24},
                           {32, 112, 1, 1, 3, 0, false, true},
                           {96, 112, 1, 2, 3, 0, false, true},
                           {144, 56, 1, 1, 3, 0, false, true},
                           {384, 14, 1, 1, 3, 0, false, true}};

int64_t Outputs(const Case& shape) { return shape.outputs > 0 ? shape.outputs : shape.channels; }

// "C64-256/56x56/images1/k1/s1/residual", for instance.
std::string NameOf(const Case& shape) {
  return absl::StrCat("C", shape.channels, "-", Outputs(shape), "/", shape.side, "x", shape.side, "/images",
                      shape.images, "/k", shape.kernel, "/s", shape.stride, shape.residual ? "/residual" : "",
                      shape.depthwise ? "/depthwise" : "");
}

struct Range {
  const char* name;
  int lo, hi, highest;
  bool signs;
};
constexpr Range kRanges[] = {{"w8a8", -127, 127, 255, false}, {"w5a6f", -14, 14, 63, false}, {"w4a4", -8, 7, 15, false},
                             {"w4a4f", -6, 6, 12, false},     {"w3a2f", -2, 2, 2, false},    {"w2a2", -2, 1, 3, false},
                             {"w1a2", -1, 1, 3, true},        {"w1a1", -1, 1, 1, true}};

// One layer's operands, and a direct 8-bit convolution of the same shape to compare with.
class Layer {
 public:
  Layer(const KernelTable& kernels, const Case& shape, const Range& range, ConvAlgorithm algorithm)
      : kernels_(kernels), images_(shape.images), scale_(Outputs(shape)), bias_(Outputs(shape), 3.25f) {
    node_.kind = NodeKind::kConv;
    node_.layer = 0;
    node_.in = {.height = shape.side, .width = shape.side, .channels = shape.channels};
    node_.kernel = shape.kernel;
    node_.stride = shape.stride;
    node_.padding = shape.kernel / 2;
    node_.depthwise = shape.depthwise;
    const int64_t out_side = (shape.side + 2 * node_.padding - shape.kernel) / shape.stride + 1;
    node_.out = {.height = out_side, .width = out_side, .channels = Outputs(shape)};
    node_.depth = shape.kernel * shape.kernel * (shape.depthwise ? 1 : shape.channels);
    const Border border = BorderFor(node_);
    const FeatureMap map{.height = shape.side,
                         .width = shape.side,
                         .channels = shape.channels,
                         .stored_channels = shape.channels < kLanes ? shape.channels : PaddedChannels(shape.channels),
                         .before = border.before,
                         .after = border.after};
    const FeatureMap out_map{.height = out_side,
                             .width = out_side,
                             .channels = Outputs(shape),
                             .stored_channels = PaddedChannels(Outputs(shape)),
                             .before = 1,
                             .after = 1};
    const ConvMaps maps{.in = map, .residual = out_map, .out = out_map};
    in_ = AlignedBuffer(shape.images * map.image_stride() + 64);
    for (int64_t i = 0; i < shape.images; ++i) {
      for (int64_t y = 0; y < shape.side; ++y) {
        for (int64_t x = 0; x < shape.side * shape.channels; ++x) {
          in_.data()[i * map.image_stride() + map.at(y, 0) + x] = static_cast<uint8_t>(Next() % (range.highest + 1));
        }
      }
    }
    out_ = AlignedBuffer(shape.images * out_map.image_stride() + 64);
    expected_ = AlignedBuffer(out_.bytes());
    if (shape.residual) residual_ = AlignedBuffer(out_.bytes());
    workspace_ = AlignedBuffer(MaxWorkspaceBytes(kernels, node_, maps));
    for (size_t i = 0; i < scale_.size(); ++i) {
      scale_[i] = ExactScale(4.0 / (range.hi * range.highest * std::sqrt(static_cast<double>(node_.depth))));
    }
    std::vector<int16_t> codes(node_.weights());
    for (int16_t& w : codes) {
      w = static_cast<int16_t>(range.signs ? (Next() % 2 ? 1 : -1) : range.lo + Next() % (range.hi - range.lo + 1));
    }
    const ConvWeights weights{.codes = codes,
                              .floats = {},
                              .signs = range.signs,
                              .highest_input = range.highest,
                              .scale = scale_,
                              .bias = bias_,
                              .residual_scale = 0.5f,
                              .highest_output = 255};
    layer_ = PackConv(algorithm, kernels, node_, maps, weights);
    if (layer_ == nullptr) return;
    // The 8-bit direct path that this table has: bytes, or words where bytes are too narrow for 8 bits.
    ConvWeights eight_bits = weights;
    eight_bits.signs = false;
    eight_bits.highest_input = 255;
    if (shape.depthwise) direct_ = PackConv(DepthwiseConvolution{}, kernels, node_, maps, eight_bits);
    if (!shape.depthwise && !kernels.narrow_bytes) {
      direct_ = PackConv(DirectConvolution{Operand::kBytes}, kernels, node_, maps, eight_bits);
    }
    if (direct_ == nullptr) direct_ = PackConv(DirectConvolution{Operand::kWords}, kernels, node_, maps, eight_bits);
  }

  bool exists() const { return layer_ != nullptr; }
  double macs() const { return static_cast<double>(node_.macs() * images_); }

  // Whether both give the same codes.
  bool Agrees() {
    Run(*layer_, out_);
    Run(*direct_, expected_);
    return std::memcmp(out_.data(), expected_.data(), out_.bytes()) == 0;
  }

  double TimeLayer() { return Time(*layer_); }
  double TimeDirect() { return Time(*direct_); }

 private:
  int Next() { return static_cast<int>((state_ = state_ * 1664525u + 1013904223u) >> 16); }

  void Run(const ConvLayer& layer, AlignedBuffer& out) {
    const TileScope scope(kernels_);
    const uint8_t* residual = residual_.bytes() > 0 ? residual_.data() : nullptr;
    layer.Run({.in = in_.data(), .residual = residual, .out = out.data(), .count = images_}, workspace_.data());
  }

  // Seconds of a run: the mean of a turn of about 2 ms, whose first run finds caches that the other layer has left.
  double Time(const ConvLayer& layer) {
    const auto start = Clock::now();
    int runs = 0;
    double taken = 0;
    do {
      Run(layer, out_);
      ++runs;
      taken = Seconds(Clock::now() - start);
    } while (taken < 2e-3);
    return taken / runs;
  }

  uint32_t state_ = 1;
  const KernelTable& kernels_;
  const int64_t images_;
  PlannedNode node_;
  std::vector<float> scale_, bias_;
  AlignedBuffer in_, residual_, out_, expected_, workspace_;
  std::unique_ptr<ConvLayer> layer_, direct_;
};

void RunLayer(benchmark::State& state, const KernelTable& kernels, const Case& shape, const Range& range,
              ConvAlgorithm algorithm, double peak) {
  Layer layer(kernels, shape, range, algorithm);
  if (!layer.exists()) {
    state.SkipWithError("none, or not exact for these weights");
    return;
  }
  if (!layer.Agrees()) {
    state.SkipWithError("differs from the direct path");
    return;
  }
  std::vector<double> times, ratios;
  for (auto _ : state) {
    const double mine = layer.TimeLayer(), direct = layer.TimeDirect();
    state.SetIterationTime(mine);
    times.push_back(mine);
    ratios.push_back(direct / mine);
  }
  const double rate = layer.macs() / Median(times) * 1e-9;
  state.counters["GMAC/s"] = rate;
  state.counters["peak%"] = 100 * rate / peak;
  state.counters["x_direct"] = Median(ratios);
}

int Main(int argc, char** argv) {
  absl::string_view isa = "auto";
  if (argc > 1 && absl::ConsumePrefix(&(isa = argv[1]), "--isa=")) {
    argv[1] = argv[0];
    --argc;
    ++argv;
  } else {
    isa = "auto";
  }
  const absl::StatusOr<const KernelTable*> kernels = KernelsByName(isa);
  if (!kernels.ok()) {
    std::cerr << kernels.status().message() << std::endl;
    return 2;
  }
  const double peak = MeasurePeak((*kernels)->spin);
  std::cout << (*kernels)->name << ": peak " << peak << " GMAC/s\n";
  for (const Case& shape : kCases) {
    for (const Range& range : kRanges) {
      for (const ConvAlgorithm& algorithm : AllConvAlgorithms()) {
        if (algorithm == ConvAlgorithm(DirectConvolution{Operand::kFloats})) continue;
        const std::string name = absl::StrCat(range.name, "/", NameOf(algorithm), "/", NameOf(shape));
        benchmark::RegisterBenchmark(name.c_str(), RunLayer, **kernels, shape, range, algorithm, peak)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond)
            ->Iterations(21);
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace anybit::model

int main(int argc, char** argv) { return anybit::model::Main(argc, argv); }
