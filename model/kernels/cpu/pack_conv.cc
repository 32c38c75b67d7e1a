#include "model/kernels/cpu/pack_conv.h"

#include <algorithm>
#include <variant>

#include "model/kernels/cpu/depthwise_conv.h"
#include "model/kernels/cpu/direct_conv.h"
#include "model/kernels/cpu/float_tile_conv.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/tile_conv.h"
#include "model/kernels/cpu/winograd.h"
#include "model/kernels/cpu/winograd_conv.h"

namespace anybit::model {
namespace {

// A direct product of words costs 1. Where byte sums are narrow, they are widened so often that little is gained.
double GuessedDirectCost(Operand operand, const KernelTable& kernels) {
  switch (operand) {
    case Operand::kFloats:
    case Operand::kWords: return 1;
    case Operand::kBfloats: return kernels.bfloat_input_bytes == 2 ? 0.6 : 1.1;
    case Operand::kBytes: return kernels.narrow_bytes ? 0.55 : 0.5;
    case Operand::kSigns: return kernels.narrow_bytes ? 0.3 : 0.2;
  }
  return 1;
}

// The share of a tile's products that `bytes` of each window and so many pixels need.
double FilledTiles(int64_t bytes, const PlannedNode& node, int64_t images) {
  const int64_t pixels = images * node.out.height * node.out.width;
  return static_cast<double>(bytes * pixels) /
         static_cast<double>(RoundUp(bytes, kTileStepBytes) * RoundUp(pixels, kTilePixels));
}

// Tiles multiply sixteen times as many bfloat16 numbers as vectors do floats.
double GuessedFloatTileCost(bool split, const PlannedNode& node, int64_t images) {
  const int64_t bytes = int64_t{2} * node.kernel * node.kernel * node.in.channels;
  return (split ? 6.0 : 1.0) / 12 / FilledTiles(bytes, node, images);
}

// Tiles multiply seven times as fast as vectors, 64 bytes of 16 pixels at once. Packed weights pay where all of them
// are read for few pixels, and come from beyond a second-level cache.
double GuessedTileCost(bool packed, const PlannedNode& node, int64_t images) {
  const int64_t bytes = int64_t{node.kernel} * node.kernel * node.in.channels;
  const int64_t pixels = images * node.out.height * node.out.width;
  constexpr int64_t kNearBytes = 2 << 20;
  const bool far = bytes * node.out.channels > kNearBytes && pixels <= kTilePixels;
  return 0.5 / 7 / FilledTiles(bytes, node, images) * (packed == far ? 1.0 : 1.5);
}

double GuessedWinogradCost(WinogradKind kind, const PlannedNode& node, int64_t images) {
  const WinogradShape shape = ShapeOf(kind);
  const int64_t tile_rows = (node.out.height + shape.out_rows - 1) / shape.out_rows;
  const int64_t tile_cols = (node.out.width + shape.out_cols - 1) / shape.out_cols;
  const double products = static_cast<double>(shape.positions() * shape.depth_rows() * tile_rows * tile_cols) /
                          static_cast<double>(9 * node.out.height * node.out.width);
  const double transforms = 8.0 / static_cast<double>(std::min(node.in.channels, node.out.channels));
  const double few_tiles = 1.0 / static_cast<double>(images * tile_rows * tile_cols);
  return (shape.words ? 1.0 : 0.5) * products * (1 + transforms + few_tiles);
}

// Products on tiles cost so little that the transforms decide: with 256 channels, F(4x4) takes as long as a direct
// convolution on tiles; with 512 two thirds of it (Emerald Rapids, kernels of a prototype).
double GuessedWinogradTileCost(WinogradKind kind, const PlannedNode& node, int64_t images) {
  const WinogradShape shape = ShapeOf(kind);
  const double channels = static_cast<double>(std::min(node.in.channels, node.out.channels));
  const double products = 2 * GuessedWinogradCost(kind, node, images) / (1 + 8.0 / channels);
  return 0.5 / 7 * (products + (shape.row_only() ? 60 : 160) / channels);
}

}  // namespace

Border BorderFor(const PlannedNode& node) {
  // Tiles of 4 x 4 outputs may extend beyond the map's end; their windows read one input row and column more.
  const auto beyond = [&](int64_t in, int64_t out) { return (RoundUp(out, 4) - 1) * node.stride + 2 - in; };
  int64_t after = node.padding;
  if (node.kernel == 3 && node.padding == 1 && node.stride <= 2 && !node.depthwise) {
    after = std::max({after, beyond(node.in.height, node.out.height), beyond(node.in.width, node.out.width)});
  }
  return {.before = node.padding, .after = after};
}

std::unique_ptr<ConvLayer> PackConv(const ConvAlgorithm& algorithm, const KernelTable& kernels, const PlannedNode& node,
                                    const ConvMaps& maps, const ConvWeights& weights) {
  const bool full_precision = !weights.floats.empty();
  if (node.depthwise) {
    const ConvAlgorithm only =
        full_precision ? ConvAlgorithm(DirectConvolution{Operand::kFloats}) : ConvAlgorithm(DepthwiseConvolution{});
    return algorithm == only ? PackDepthwiseConv(kernels, node, maps, weights) : nullptr;
  }
  if (full_precision) {
    if (const auto* tiles = std::get_if<FloatTileConvolution>(&algorithm)) {
      return tiles->split == weights.bfloat16 ? nullptr : PackFloatTileConv(kernels, node, maps, weights);
    }
    const auto* direct = std::get_if<DirectConvolution>(&algorithm);
    return direct == nullptr ? nullptr : PackDirectConv(direct->operand, kernels, node, maps, weights);
  }
  if (const auto* winograd = std::get_if<WinogradConvolution>(&algorithm)) {
    return PackWinogradConv(*winograd, kernels, node, maps, weights);
  }
  if (const auto* tiles = std::get_if<TileConvolution>(&algorithm)) {
    return PackTileConv(tiles->packed, kernels, node, maps, weights);
  }
  if (const auto* direct = std::get_if<DirectConvolution>(&algorithm)) {
    return PackDirectConv(direct->operand, kernels, node, maps, weights);
  }
  return nullptr;
}

int64_t MaxWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps) {
  if (node.depthwise) return 0;
  return std::max({MaxDirectWorkspaceBytes(kernels, node, maps.in), MaxTileWorkspaceBytes(kernels, node, maps.in),
                   MaxFloatTileWorkspaceBytes(kernels, node, maps.in),
                   MaxWinogradWorkspaceBytes(kernels, node, maps.in)});
}

double GuessedCost(const ConvAlgorithm& algorithm, const KernelTable& kernels, const PlannedNode& node,
                   int64_t images) {
  if (const auto* direct = std::get_if<DirectConvolution>(&algorithm)) {
    return GuessedDirectCost(direct->operand, kernels);
  }
  if (const auto* tiles = std::get_if<TileConvolution>(&algorithm)) {
    return GuessedTileCost(tiles->packed, node, images);
  }
  if (const auto* tiles = std::get_if<FloatTileConvolution>(&algorithm)) {
    return GuessedFloatTileCost(tiles->split, node, images);
  }
  if (const auto* winograd = std::get_if<WinogradConvolution>(&algorithm)) {
    return winograd->tiles ? GuessedWinogradTileCost(winograd->kind, node, images)
                           : GuessedWinogradCost(winograd->kind, node, images);
  }
  return 1;
}

}  // namespace anybit::model
