#include "model/kernels/cpu/winograd_conv.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model/kernels/cpu/cache_size.h"
#include "model/kernels/cpu/conv_algorithm.h"
#include "model/kernels/cpu/packed_epilogue.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/winograd.h"

namespace anybit::model {
namespace {

// Bytes of V and M of one group of tiles. With the blocks of U in use they fill most of the second-level cache. Every
// group reads all of U: one that does not fit that cache comes from farther away, so that fewer, larger groups pay off.
int64_t MaxTransformBytes(const WinogradShape& shape, int64_t stored_channels, int64_t outputs) {
  const int64_t cache = SecondLevelCacheBytes();
  const int64_t u = shape.positions() * stored_channels * shape.depth_rows() * shape.value_bytes() * outputs;
  return u > cache ? cache * 9 / 10 : cache * 6 / 10;
}
// Fewer tiles would leave accumulators of the product loop unused.
constexpr int64_t kMinTiles = 8;
// Bounds the pointer tables on the stack.
constexpr int64_t kMaxTiles = 144;

// How many tiles are transformed together, and where they lie in the workspace.
struct TileBlocking {
  int tiles = 0;
  int64_t tile_bytes = 0;       // of one tile at one position of V
  int64_t position_stride = 0;  // of V
  int64_t v_bytes = 0;
  int64_t m_tile_stride = 0;
  int64_t m_bytes = 0;  // of one block

  // `multiple`: of tiles, that a kernel computes at once.
  TileBlocking(const KernelTable& kernels, const WinogradShape& shape, int64_t stored_channels, int64_t outputs,
               int64_t multiple)
      : tile_bytes(stored_channels * shape.depth_rows() * shape.value_bytes()),
        m_tile_stride(int64_t{shape.positions()} * kLanes * (kernels.narrow_bytes && !shape.words ? 2 : 4)) {
    const int64_t bytes_of_tile = shape.positions() * tile_bytes + kernels.blocks * m_tile_stride;
    const int64_t fitting = MaxTransformBytes(shape, stored_channels, outputs) / bytes_of_tile;
    tiles = static_cast<int>(std::clamp(fitting / multiple * multiple, multiple, kMaxTiles));
    // One more cache line, so that positions do not compete for the same cache sets.
    position_stride = tiles * tile_bytes + 64;
    v_bytes = RoundUp(shape.positions() * position_stride, 64);
    m_bytes = tiles * m_tile_stride;
  }

  int64_t workspace_bytes(const KernelTable& kernels) const { return v_bytes + kernels.blocks * m_bytes; }
};

bool HasTiles(const PlannedNode& node, const WinogradShape& shape) {
  return node.kernel == 3 && node.padding == 1 && node.stride == shape.stride && !node.depthwise;
}

WinogradKernels KernelsOf(const WinogradConvolution& algorithm, const KernelTable& kernels) {
  WinogradKernels found = kernels.winograd[static_cast<int>(algorithm.kind)];
  if (algorithm.tiles) found.multiply = kernels.tiles->multiply;
  return found;
}

// Whether products on tiles are those of a layer: sums of bytes in lanes of 32 bits, by whole steps.
bool HasTileProducts(const KernelTable& kernels, const WinogradShape& shape, int64_t stored_channels) {
  return kernels.tiles != nullptr && !shape.words && !kernels.narrow_bytes &&
         stored_channels * shape.depth_rows() % kTileStepBytes == 0;
}

class WinogradConv : public ConvLayer {
 public:
  WinogradConv(const WinogradConvolution& algorithm, const KernelTable& kernels, const PlannedNode& node,
               const ConvMaps& maps, const ConvWeights& weights, WinogradPanel panel)
      : shape_(ShapeOf(algorithm.kind)),
        table_(kernels),
        kernels_(KernelsOf(algorithm, kernels)),
        node_(node),
        maps_(maps),
        panel_(std::move(panel)),
        epilogue_(weights, node.relu, panel_.factor),
        tile_rows_((node.out.height + shape_.out_rows - 1) / shape_.out_rows),
        tile_cols_((node.out.width + shape_.out_cols - 1) / shape_.out_cols),
        blocking_(kernels, shape_, maps.in.stored_channels, node.out.channels,
                  algorithm.tiles ? kTilePixels : kMinTiles) {}

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.u.bytes()); }
  int64_t workspace_bytes() const override { return blocking_.workspace_bytes(table_); }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    const int64_t total = images.count * tile_rows_ * tile_cols_;
    // Groups of nearly equal size: a last group of few tiles would leave accumulators unused.
    const int64_t groups = (total + blocking_.tiles - 1) / blocking_.tiles;
    for (int64_t group = 0, first = 0; group < groups; ++group) {
      const int64_t end = total * (group + 1) / groups;
      RunTiles(images, first, static_cast<int>(end - first), workspace);
      first = end;
    }
  }

 private:
  // Where the tiles of one group lie in the maps.
  struct Tiles {
    int count = 0;
    const uint8_t* inputs[kMaxTiles];
    uint8_t* outputs[kMaxTiles];
    const uint8_t* residuals[kMaxTiles];
    TileExtent extents[kMaxTiles];
  };

  void Place(const ConvImages& images, int64_t first, int count, Tiles& tiles) const {
    const int64_t tiles_of_image = tile_rows_ * tile_cols_;
    tiles.count = count;
    for (int i = 0; i < count; ++i) {
      const int64_t image = (first + i) / tiles_of_image, tile = (first + i) % tiles_of_image;
      const int64_t y = tile / tile_cols_ * shape_.out_rows, x = tile % tile_cols_ * shape_.out_cols;
      tiles.inputs[i] = static_cast<const uint8_t*>(images.in) + image * maps_.in.image_stride() +
                        maps_.in.at(y * shape_.stride - 1, x * shape_.stride - 1);
      tiles.outputs[i] = static_cast<uint8_t*>(images.out) + image * maps_.out.image_stride() + maps_.out.at(y, x);
      if (images.residual != nullptr) {
        tiles.residuals[i] = static_cast<const uint8_t*>(images.residual) + image * maps_.residual.image_stride() +
                             maps_.residual.at(y, x);
      }
      tiles.extents[i] = {.rows = static_cast<uint8_t>(std::min<int64_t>(shape_.out_rows, node_.out.height - y)),
                          .cols = static_cast<uint8_t>(std::min<int64_t>(shape_.out_cols, node_.out.width - x))};
    }
  }

  void RunTiles(const ConvImages& images, int64_t first, int count, uint8_t* workspace) const {
    Tiles tiles;
    Place(images, first, count, tiles);
    kernels_.transform_input({.tiles = tiles.inputs,
                              .count = count,
                              .row_stride = maps_.in.row_stride(),
                              .channels = maps_.in.stored_channels,
                              .offset = panel_.offset,
                              .corner_offset = panel_.corner_offset,
                              .v = workspace,
                              .position_stride = blocking_.position_stride,
                              .tile_stride = blocking_.tile_bytes});
    uint8_t* m = workspace + blocking_.v_bytes;
    for (int block = 0; block < panel_.blocks; block += table_.blocks) {
      const int blocks = std::min(table_.blocks, panel_.blocks - block);
      Multiply(workspace, count, block, blocks, m);
      for (int b = 0; b < blocks; ++b) {
        TransformOutput(m + b * blocking_.m_bytes, block + b, images.residual != nullptr, tiles);
      }
    }
  }

  // Leaves `tiles` pointing at the next block's outputs.
  void TransformOutput(const uint8_t* m, int block, bool has_residual, Tiles& tiles) const {
    const int64_t lane = int64_t{block} * kLanes;
    kernels_.transform_output({.m = m,
                               .m_tile_stride = blocking_.m_tile_stride,
                               .count = tiles.count,
                               .centers = panel_.centers.empty() ? nullptr : panel_.centers.data() + lane,
                               .low_centers = panel_.centers.empty() ? nullptr : panel_.low_centers.data() + lane,
                               .epilogue = epilogue_.view(block),
                               .extents = tiles.extents,
                               .residuals = has_residual ? tiles.residuals : nullptr,
                               .residual_row_stride = maps_.residual.row_stride(),
                               .residual_pixel_stride = maps_.residual.stored_channels,
                               .outputs = tiles.outputs,
                               .row_stride = maps_.out.row_stride(),
                               .pixel_stride = maps_.out.stored_channels});
    for (int i = 0; i < tiles.count; ++i) {
      tiles.outputs[i] += kLanes;
      if (has_residual) tiles.residuals[i] += kLanes;
    }
  }

  void Multiply(const uint8_t* v, int count, int block, int blocks, uint8_t* m) const {
    const int64_t position_bytes = panel_.steps * kBlockStepBytes;
    for (int p = 0; p < shape_.positions(); ++p) {
      const int32_t* init =
          panel_.init.empty() ? nullptr : panel_.init.data() + (int64_t{p} * panel_.blocks + block) * kLanes;
      kernels_.multiply({.v = v + p * blocking_.position_stride,
                         .tile_stride = blocking_.tile_bytes,
                         .tiles = count,
                         .steps = panel_.steps,
                         .u = panel_.u.data() + (int64_t{block} * shape_.positions() + p) * position_bytes,
                         .u_stride = shape_.positions() * position_bytes,
                         .blocks = blocks,
                         .init = init,
                         .init_stride = kLanes,
                         .m = m + p * (blocking_.m_tile_stride / shape_.positions()),
                         .m_tile_stride = blocking_.m_tile_stride,
                         .m_stride = blocking_.m_bytes});
    }
  }

  const WinogradShape shape_;
  const KernelTable& table_;
  const WinogradKernels kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  const WinogradPanel panel_;
  const PackedEpilogue epilogue_;
  const int64_t tile_rows_, tile_cols_;
  const TileBlocking blocking_;
};

}  // namespace

std::unique_ptr<ConvLayer> PackWinogradConv(const WinogradConvolution& algorithm, const KernelTable& kernels,
                                            const PlannedNode& node, const ConvMaps& maps, const ConvWeights& weights) {
  const WinogradKind kind = algorithm.kind;
  if (!HasTiles(node, ShapeOf(kind))) return nullptr;
  if (maps.in.stored_channels % kLanes != 0) return nullptr;
  if (kernels.winograd[static_cast<int>(kind)].multiply == nullptr) return nullptr;
  if (algorithm.tiles && !HasTileProducts(kernels, ShapeOf(kind), maps.in.stored_channels)) return nullptr;
  std::optional<WinogradPanel> panel = PackWinograd(kind, kernels.narrow_bytes, weights.codes, node.out.channels,
                                                    node.in.channels, maps.in.stored_channels, weights.highest_input);
  if (!panel.has_value()) return nullptr;
  return std::make_unique<WinogradConv>(algorithm, kernels, node, maps, weights, *std::move(panel));
}

int64_t MaxWinogradWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in) {
  int64_t bytes = 0;
  for (int kind = 0; kind < kWinogradKinds; ++kind) {
    const WinogradShape shape = ShapeOf(static_cast<WinogradKind>(kind));
    if (!HasTiles(node, shape)) continue;
    for (const int64_t multiple : {kMinTiles, int64_t{kTilePixels}}) {
      if (multiple == kTilePixels && !HasTileProducts(kernels, shape, in.stored_channels)) continue;
      const TileBlocking blocking(kernels, shape, in.stored_channels, node.out.channels, multiple);
      bytes = std::max(bytes, blocking.workspace_bytes(kernels));
    }
  }
  return bytes;
}

}  // namespace anybit::model
