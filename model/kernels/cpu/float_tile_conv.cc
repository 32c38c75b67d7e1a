#include "model/kernels/cpu/float_tile_conv.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "model/format/bfloat16.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/tile_conv.h"
#include "model/kernels/cpu/tile_plan.h"

namespace anybit::model {
namespace {

// Numbers of 16 bits that make a float, and the order in which tiles multiply them: part `weights` of the weights with
// the first `inputs` parts of the input, the smallest products first. Left out are the products of second and third
// parts, which are at most 2^-26 of the whole one.
constexpr int kParts = 3;
struct Pass {
  int weights, inputs;
};
constexpr Pass kSplitPasses[] = {{2, 1}, {1, 2}, {0, 3}};
constexpr Pass kSinglePass[] = {{0, 1}};

std::span<const Pass> PassesOf(bool split) {
  return split ? std::span<const Pass>(kSplitPasses) : std::span<const Pass>(kSinglePass);
}

int64_t BytesOfPixel(const FeatureMap& in, bool split) { return 2 * in.stored_channels * (split ? kParts : 1); }

// The map in 16-bit numbers: [pixel][part][channels].
FeatureMap MapOfParts(FeatureMap in, bool split) {
  in.channels = in.stored_channels = BytesOfPixel(in, split);
  return in;
}

uint16_t PartOf(float value, int part) {
  for (; part > 0; --part) value -= RoundToBfloat16(value);
  return NearestBfloat16(value);
}

// The tiles of all passes: [blocks][passes][steps].
AlignedBuffer TilesOfPasses(const PlannedNode& node, const FeatureMap& in, const ConvWeights& weights,
                            const TileDepth& depth, bool split) {
  const std::span<const Pass> passes = PassesOf(split);
  const auto pass_count = static_cast<int64_t>(passes.size());
  AlignedBuffer panel(BlocksFor(node.out.channels) * pass_count * depth.steps * kTileBytes);
  size_t next = 0;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    uint8_t* block = panel.data() + o / kLanes * pass_count * depth.steps * kTileBytes + o % kLanes * kStepBytes;
    for (int64_t tap = 0; tap < int64_t{node.kernel} * node.kernel; ++tap) {
      const int64_t pixel = tap / node.kernel * depth.row_bytes + tap % node.kernel * BytesOfPixel(in, split);
      for (int64_t c = 0; c < node.in.channels; ++c, ++next) {
        for (size_t p = 0; p < passes.size(); ++p) {
          const uint16_t weight = PartOf(weights.floats[next], passes[p].weights);
          for (int part = 0; part < passes[p].inputs; ++part) {
            const int64_t at = pixel + 2 * (part * in.stored_channels + c);
            uint8_t* to = block + static_cast<int64_t>(p) * depth.steps * kTileBytes;
            std::memcpy(to + at / kStepBytes * kBlockStepBytes + at % kStepBytes, &weight, sizeof(weight));
          }
        }
      }
    }
  }
  return panel;
}

bool IsZero(const uint8_t* bytes, int64_t count) {
  return std::all_of(bytes, bytes + count, [](uint8_t byte) { return byte == 0; });
}

// Of those tiles the steps that have any weights, by [pass][step].
std::vector<int64_t> UsedSteps(const AlignedBuffer& panel, int64_t blocks, int64_t steps) {
  std::vector<int64_t> used;
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t block = 0; block < blocks; ++block) {
      if (IsZero(panel.data() + (block * steps + step) * kTileBytes, kTileBytes)) continue;
      used.push_back(step);
      break;
    }
  }
  if (used.empty()) used.push_back(0);  // all weights are zero
  return used;
}

AlignedBuffer OnlySteps(const AlignedBuffer& panel, int64_t blocks, int64_t steps, const std::vector<int64_t>& used) {
  const auto count = static_cast<int64_t>(used.size());
  AlignedBuffer kept(blocks * count * kTileBytes);
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(kept.data() + (block * count + i) * kTileBytes, panel.data() + (block * steps + used[i]) * kTileBytes,
                  kTileBytes);
    }
  }
  return kept;
}

// Images whose 16-bit numbers lie in the workspace at once: within a second-level cache, but enough for every plan.
int64_t ImagesAtOnce(const FeatureMap& parts, const std::vector<TilePlan>& plans) {
  constexpr int64_t kConvertedBytes = 256 << 10;
  int64_t most = 1;
  for (const TilePlan& plan : plans) most = std::max<int64_t>(most, plan.images);
  return std::max(most, kConvertedBytes / parts.image_stride());
}

// What kernels may read behind the last image.
constexpr int64_t kBehind = kTileStepBytes + kCopyStep;

int64_t WorkspaceBytes(const PlannedNode& node, const FeatureMap& in, bool split) {
  const FeatureMap parts = MapOfParts(in, split);
  const std::vector<TilePlan> plans = PlanTiles(node, parts).plans;
  return RoundUp(TileWorkspaceFor(node, plans).bytes, kTileStepBytes) +
         ImagesAtOnce(parts, plans) * parts.image_stride() + kBehind;
}

// Converts some images into the workspace, behind that of the convolution by tiles, and has this one read them there.
class FloatTileConv : public ConvLayer {
 public:
  FloatTileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps, const FeatureMap& parts,
                const ConvWeights& weights, const TileLayout& layout, AlignedBuffer panel)
      : kernels_(kernels),
        split_(!weights.bfloat16),
        maps_(maps),
        parts_(parts),
        images_at_once_(ImagesAtOnce(parts, layout.plans)),
        copies_(TileWorkspaceFor(node, layout.plans).copies),
        tiles_(MakeTileConv(kernels, node, {.in = parts, .residual = maps.residual, .out = maps.out}, weights, layout,
                            std::move(panel), kBfloat16Bits)) {}

  int64_t panel_bytes() const override { return tiles_->panel_bytes(); }
  int64_t workspace_bytes() const override {
    return ConvertedOffset() + images_at_once_ * parts_.image_stride() + kBehind;
  }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    // Tiles multiply what no copy has written by weights of zero: it must not be infinite.
    std::memset(workspace + copies_, 0, ConvertedOffset() - copies_);
    uint8_t* converted = workspace + ConvertedOffset();
    const auto* in = static_cast<const float*>(images.in);
    const auto* residual = static_cast<const float*>(images.residual);
    auto* out = static_cast<float*>(images.out);
    for (int64_t first = 0; first < images.count; first += images_at_once_) {
      const int64_t count = std::min(images_at_once_, images.count - first);
      Convert(in + first * maps_.in.image_stride(), count, reinterpret_cast<uint16_t*>(converted));
      std::memset(converted + count * parts_.image_stride(), 0, kBehind);
      tiles_->Run({.in = converted,
                   .residual = residual == nullptr ? nullptr : residual + first * maps_.residual.image_stride(),
                   .out = out + first * maps_.out.image_stride(),
                   .count = count},
                  workspace);
    }
  }

 private:
  int64_t ConvertedOffset() const { return RoundUp(tiles_->workspace_bytes(), kTileStepBytes); }

  void Convert(const float* in, int64_t count, uint16_t* out) const {
    const int64_t values = count * maps_.in.image_stride(), channels = maps_.in.stored_channels;
    if (split_) {
      kernels_.split_floats(in, values / channels, channels, out);
    } else {
      kernels_.narrow(in, values, out);
    }
  }

  const KernelTable& kernels_;
  const bool split_;
  const ConvMaps maps_;
  const FeatureMap parts_;
  const int64_t images_at_once_;
  const int64_t copies_;  // where they begin
  const std::unique_ptr<ConvLayer> tiles_;
};

}  // namespace

std::unique_ptr<ConvLayer> PackFloatTileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                             const ConvWeights& weights) {
  if (kernels.tiles == nullptr) return nullptr;
  const bool split = !weights.bfloat16;
  const FeatureMap parts = MapOfParts(maps.in, split);
  TileLayout layout = PlanTiles(node, parts);
  const auto passes = static_cast<int64_t>(PassesOf(split).size());
  const int64_t blocks = BlocksFor(node.out.channels), steps = passes * layout.depth.steps;
  const AlignedBuffer all = TilesOfPasses(node, maps.in, weights, layout.depth, split);
  const std::vector<int64_t> used = UsedSteps(all, blocks, steps);
  for (TilePlan& plan : layout.plans) {
    std::vector<int64_t> offsets;
    for (int64_t step : used) offsets.push_back(plan.steps[step % layout.depth.steps]);
    plan.steps = std::move(offsets);
  }
  return std::make_unique<FloatTileConv>(kernels, node, maps, parts, weights, layout,
                                         OnlySteps(all, blocks, steps, used));
}

int64_t MaxFloatTileWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in) {
  if (kernels.tiles == nullptr) return 0;
  return std::max(WorkspaceBytes(node, in, false), WorkspaceBytes(node, in, true));
}

}  // namespace anybit::model
