#include "model/kernels/cuda/testing/conv_case.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "model/format/requantize.h"
#include "model/kernels/cuda/portable.h"
#include "model/kernels/reference.h"

namespace anybit::model::cuda {
namespace {

int StoredChannels(int64_t channels, bool image) {
  return static_cast<int>(image && channels <= 4 ? 4 : RoundUpTo(channels, 16));
}

ConvProblem ProblemOf(const PlannedNode& node, const ConvRange& range, const std::vector<int8_t>& codes,
                      bool image_input) {
  ConvProblem problem = ProblemOfShape(node, image_input);
  problem.codes = {.step = 1, .lo = range.lo, .hi = range.hi, .sign = range.signs};
  problem.largest_weight = 0;
  problem.highest_input = range.highest;
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

// Extreme operands a quarter of the time in any case.
int Draw(int lo, int hi, bool extreme, std::mt19937_64& random) {
  const uint64_t r = random();
  if (extreme || r % 4 == 0) return r >> 8 & 1 ? lo : hi;
  return lo + static_cast<int>((r >> 8) % (hi - lo + 1));
}

using Sums = std::vector<std::vector<int32_t>>;  // by image

// Draws the input; returns its sums by definition.
Sums DrawInput(const PlannedNode& node, const ConvRange& range, const ConvCaseOptions& options, std::mt19937_64& random,
               ConvCase& made) {
  const int64_t pixels = node.in.height * node.in.width;
  made.in.assign(options.images * pixels * made.problem.in_stored, 0);
  const std::vector<int32_t> weights(made.store.begin(), made.store.end());
  Sums sums;
  for (int64_t i = 0; i < options.images; ++i) {
    std::vector<int32_t> dense;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (int64_t c = 0; c < node.in.channels; ++c) {
        dense.push_back(Draw(0, range.highest, options.extreme, random));
        made.in[(i * pixels + pixel) * made.problem.in_stored + c] = static_cast<uint8_t>(dense.back());
      }
    }
    sums.push_back(ReferenceConvSums(node, dense, weights));
  }
  return sums;
}

void DrawEpilogue(const PlannedNode& node, const ConvRange& range, const ConvCaseOptions& options, const Sums& sums,
                  std::mt19937_64& random, ConvCase& made) {
  const int64_t pixels = node.out.height * node.out.width, outputs = node.out.channels;
  made.scale.assign(RoundUpTo(outputs, kTileOutputs), 0);
  made.bias = made.scale;
  const double spread = range.hi * range.highest * 2.0 * static_cast<double>(node.depth) / 255;
  for (int64_t o = 0; o < outputs; ++o) {
    const int32_t shown = sums[random() % options.images][random() % pixels * outputs + o];
    made.scale[o] = ExactScale(options.fine ? 1 : (1 + static_cast<double>(o % 5) / 7) * 4 / spread);
    made.bias[o] = (options.fine ? -static_cast<float>(shown) : static_cast<float>(o % 9)) + 100.3f;
  }
  for (size_t o = 0; o < made.scale.size(); ++o) {
    made.scale_and_bias.insert(made.scale_and_bias.end(), {made.scale[o], made.bias[o]});
  }
}

}  // namespace

ConvProblem ProblemOfShape(const PlannedNode& node, bool image_input) {
  return {.geometry = {.in_height = static_cast<int>(node.in.height),
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
          .depthwise = node.depthwise};
}

ConvCase MakeConvCase(const ConvShape& shape, const ConvRange& range, const ConvCaseOptions& options,
                      std::mt19937_64& random) {
  const PlannedNode node = NodeOf(shape);
  ConvCase made{.images = options.images, .residual_scale = 0.37f, .highest = 201};
  made.store.resize(node.weights());
  for (int8_t& w : made.store) {
    w = static_cast<int8_t>(Draw(range.lo, range.hi, options.extreme || range.signs, random));
  }
  made.problem = ProblemOf(node, range, made.store, options.image_input);
  if (options.residual) made.problem.residual_stored = made.problem.geometry.out_stored;
  const Sums sums = DrawInput(node, range, options, random, made);
  DrawEpilogue(node, range, options, sums, random, made);

  const int64_t pixels = node.out.height * node.out.width;
  const int stored = made.problem.geometry.out_stored;
  made.expected.assign(options.images * pixels * stored, 0);
  if (options.residual) made.residual.assign(made.expected.size(), 0);
  for (int64_t at = 0; at < static_cast<int64_t>(made.expected.size()); ++at) {
    const int64_t o = at % stored, pixel = at / stored % pixels, image = at / stored / pixels;
    if (o >= shape.out) continue;
    const int32_t sum = sums[image][pixel * shape.out + o];
    if (options.residual) {
      made.residual[at] = static_cast<uint8_t>(random());
      made.expected[at] = RequantizeWithResidual(sum, made.scale[o], made.bias[o], made.residual[at],
                                                 made.residual_scale, made.highest);
    } else {
      made.expected[at] = Requantize(sum, made.scale[o], made.bias[o], made.highest);
    }
  }
  made.text = absl::StrCat(shape.depthwise ? "depthwise, map " : "map ", shape.height, "x", shape.width, ", channels ",
                           shape.in, " to ", shape.out, ", kernel ", shape.kernel, ", stride ", shape.stride,
                           ", padding ", shape.padding, "; weights ", range.lo, "..", range.hi, ", codes to ",
                           range.highest, "; images ", options.images, options.residual ? ", residual" : "",
                           options.extreme ? ", extreme" : "", options.fine ? ", fine" : "");
  return made;
}

}  // namespace anybit::model::cuda
