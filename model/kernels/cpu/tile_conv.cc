#include "model/kernels/cpu/tile_conv.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "model/format/bfloat16.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/packed_epilogue.h"
#include "model/kernels/cpu/packed_tiles.h"
#include "model/kernels/cpu/panel_size.h"
#include "model/kernels/cpu/tile_plan.h"

namespace anybit::model {
namespace {

using Source = TilePlan::Source;

// Groups of one kernel call: blocks of the panel are read once for all of them. Bounds the pointer tables on the stack.
constexpr int kGroupsPerCall = 64;
// Copies of one kernel call: with a block of the panel they fit a second-level cache; gathered windows, the first-level
// cache.
constexpr int64_t kCopiedBytes = 96 << 10;
constexpr int64_t kGatheredBytes = 24 << 10;

// Units of a plan, or gathered groups, whose copies lie in the workspace at once.
int64_t UnitsAtOnce(const TilePlan& plan) {
  switch (plan.source) {
    case Source::kInPlace: return 0;
    case Source::kCopied: return std::max<int64_t>(1, kCopiedBytes / plan.unit_bytes);
    case Source::kGathered: return std::clamp<int64_t>(kGatheredBytes / plan.unit_bytes, 4, kGroupsPerCall);
  }
  return 0;
}

// The workspace: the kernel's scratch, room for a pixel that nobody reads, then copies.
int64_t UnreadOffset() { return kTileScratchBytes; }
int64_t CopyOffset(const PlannedNode& node) {
  constexpr int64_t kWidest = sizeof(float);
  return UnreadOffset() + RoundUp(PaddedChannels(node.out.channels) * kWidest, kTileStepBytes);
}

// In steps of kCopyStep.
void CopyBytes(const uint8_t* from, int64_t bytes, uint8_t* to) {
  for (int64_t i = 0; i < bytes; i += kCopyStep) std::memcpy(to + i, from + i, kCopyStep);
}

// ---- Panel

// Bits that the weights need in packed tiles, or 0 where those cannot hold them. One bit has no zero, which padded
// channels need.
int PackedBits(const ConvWeights& weights, bool padded) {
  const auto [lowest, highest] = std::minmax_element(weights.codes.begin(), weights.codes.end());
  if (weights.signs && !padded) return 1;
  for (int bits : {2, 3, 4}) {
    if (*lowest >= -(1 << (bits - 1)) && *highest < 1 << (bits - 1)) return bits;
  }
  return 0;
}

// [blocks][steps] tiles.
AlignedBuffer TilePanel(const PlannedNode& node, const FeatureMap& in, const ConvWeights& weights,
                        const TileDepth& depth) {
  AlignedBuffer panel(BlocksFor(node.out.channels) * depth.steps * kTileBytes);
  auto* to = panel.as<int8_t>();
  const int64_t channels = node.in.channels;
  size_t next = 0;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    int8_t* block = to + o / kLanes * depth.steps * kTileBytes + o % kLanes * kStepBytes;
    for (int64_t y = 0; y < node.kernel; ++y) {
      for (int64_t x = 0; x < node.kernel; ++x) {
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t at = y * depth.row_bytes + x * in.stored_channels + c;
          block[at / kStepBytes * kBlockStepBytes + at % kStepBytes] = static_cast<int8_t>(weights.codes[next++]);
        }
      }
    }
  }
  return panel;
}

AlignedBuffer PackedPanel(const AlignedBuffer& panel, int bits) {
  const auto tiles = static_cast<int64_t>(panel.bytes()) / kTileBytes;
  AlignedBuffer packed(tiles * PackedTileBytes(bits));
  for (int64_t i = 0; i < tiles; ++i) {
    PackTile(bits, panel.as<int8_t>() + i * kTileBytes, packed.data() + i * PackedTileBytes(bits));
  }
  return packed;
}

// ---- Running

// The cheapest plan for each number of images in a unit: no other is ever the cheapest.
std::vector<TilePlan> UsefulPlans(const TileLayout& layout, const PlannedNode& node) {
  const auto cycles = [&](const TilePlan& plan) { return plan.CyclesFor(1, BlocksFor(node.out.channels)); };
  std::vector<TilePlan> useful;
  for (const TilePlan& plan : layout.plans) {
    const auto same =
        std::find_if(useful.begin(), useful.end(), [&](const TilePlan& other) { return other.images == plan.images; });
    if (same == useful.end()) {
      useful.push_back(plan);
    } else if (cycles(plan) < cycles(*same)) {
      *same = plan;
    }
  }
  return useful;
}

// A plan, and where its pixels lie, in bytes, in the maps that are written and added: negative for none.
struct PlacedPlan {
  PlacedPlan(TilePlan tile_plan, const ConvMaps& maps, int64_t blocks, int64_t value_bytes)
      : plan(std::move(tile_plan)), unit_cycles(plan.CyclesFor(plan.images, blocks)) {
    for (const TilePlan::Pixel& pixel : plan.pixels) {
      const auto place = [&](const FeatureMap& map) {
        const int64_t value = pixel.image * map.image_stride() + map.at(pixel.y, pixel.x);
        return pixel.image < 0 ? -1 : value * value_bytes;
      };
      outputs.push_back(place(maps.out));
      residuals.push_back(place(maps.residual));
    }
    for (auto first = outputs.begin(); first != outputs.end(); first += kTilePixels) {
      full.push_back(std::all_of(first, first + kTilePixels, [](int64_t offset) { return offset >= 0; }));
    }
  }

  // As CyclesFor.
  double CyclesOf(int64_t count) const {
    const int64_t units = (count + plan.images - 1) / plan.images;
    return unit_cycles * static_cast<double>(units);
  }

  TilePlan plan;
  double unit_cycles;
  std::vector<int64_t> outputs, residuals;  // [16 * groups]
  std::vector<uint8_t> full;                // by group: whether all its pixels are
};

// The groups of one kernel call.
struct CallTables {
  int count = 0;
  const uint8_t* groups[kGroupsPerCall];
  uint8_t* outputs[kGroupsPerCall * kTilePixels];
  const uint8_t* residuals[kGroupsPerCall * kTilePixels];
};

// The map that is read is one of bytes. Values of the others have one byte, or four with weights of 16 bits.
class TileConv : public ConvLayer {
 public:
  TileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps, const ConvWeights& weights,
           const std::vector<TilePlan>& plans, AlignedBuffer panel, int weight_bits)
      : kernels_(*kernels.tiles),
        node_(node),
        maps_(maps),
        panel_(std::move(panel)),
        weight_bits_(weight_bits),
        value_bytes_(weight_bits == kBfloat16Bits ? 4 : 1),
        epilogue_(weights, node.relu, 1),
        workspace_bytes_(TileWorkspaceFor(node, plans).bytes) {
    for (const TilePlan& plan : plans) plans_.emplace_back(plan, maps, BlocksFor(node.out.channels), value_bytes_);
  }

  int64_t panel_bytes() const override { return static_cast<int64_t>(panel_.bytes()); }
  int64_t workspace_bytes() const override { return workspace_bytes_; }

  void Run(const ConvImages& images, uint8_t* workspace) const override {
    const PlacedPlan& placed = PlanFor(images.count);
    switch (placed.plan.source) {
      case Source::kInPlace: return RunInPlace(placed, images, workspace);
      case Source::kCopied: return RunCopied(placed, images, workspace);
      case Source::kGathered: return RunGathered(placed, images, workspace);
    }
  }

 private:
  const PlacedPlan& PlanFor(int64_t count) const {
    return *std::min_element(plans_.begin(), plans_.end(), [&](const PlacedPlan& a, const PlacedPlan& b) {
      return a.CyclesOf(count) < b.CyclesOf(count);
    });
  }

  const uint8_t* Image(const ConvImages& images, int64_t image) const {
    return static_cast<const uint8_t*>(images.in) + image * maps_.in.image_stride();
  }

  void RunInPlace(const PlacedPlan& placed, const ConvImages& images, uint8_t* workspace) const {
    CallTables tables;
    for (int64_t image = 0; image < images.count; ++image) {
      for (size_t group = 0; group < placed.plan.groups.size(); ++group) {
        const uint8_t* first = Image(images, image) + placed.plan.groups[group];
        Add(placed, group, first, images, image, workspace, tables);
      }
    }
    Convolve(placed.plan, images, workspace, tables);
  }

  void RunCopied(const PlacedPlan& placed, const ConvImages& images, uint8_t* workspace) const {
    const TilePlan& plan = placed.plan;
    CallTables tables;
    const int64_t units = UnitsAtOnce(plan);
    for (int64_t first = 0; first < images.count; first += units * plan.images) {
      for (int64_t unit = 0; unit < units; ++unit) {
        const int64_t image = first + unit * plan.images;
        if (image >= images.count) break;
        uint8_t* copy = workspace + CopyOffset(node_) + unit * plan.unit_bytes;
        for (const TilePlan::Copy& c : plan.copies) {
          // In place of images after the last one, that one again.
          CopyBytes(Image(images, std::min(image + c.image, images.count - 1)) + c.from, c.bytes, copy + c.to);
        }
        for (size_t group = 0; group < plan.groups.size(); ++group) {
          Add(placed, group, copy + plan.groups[group], images, image, workspace, tables);
        }
      }
      Convolve(plan, images, workspace, tables);
    }
  }

  void RunGathered(const PlacedPlan& placed, const ConvImages& images, uint8_t* workspace) const {
    const TilePlan& plan = placed.plan;
    CallTables tables;
    const int64_t slots = UnitsAtOnce(plan);
    for (int64_t image = 0; image < images.count; ++image) {
      for (size_t group = 0; group < plan.groups.size(); ++group) {
        uint8_t* copy = workspace + CopyOffset(node_) + tables.count * plan.unit_bytes;
        for (int i = 0; i < kTilePixels; ++i) {
          const uint8_t* window = Image(images, image) + plan.windows[group * kTilePixels + i];
          for (const TilePlan::Copy& row : plan.copies) {
            CopyBytes(window + row.from, row.bytes, copy + i * plan.pixel_stride + row.to);
          }
        }
        Add(placed, group, copy, images, image, workspace, tables);
        if (tables.count == slots) Convolve(plan, images, workspace, tables);
      }
    }
    Convolve(plan, images, workspace, tables);
  }

  // Adds a group of the unit that starts with image `image`; `first` is its first window.
  void Add(const PlacedPlan& placed, size_t group, const uint8_t* first, const ConvImages& images, int64_t image,
           uint8_t* workspace, CallTables& tables) const {
    uint8_t* unread = workspace + UnreadOffset();
    tables.groups[tables.count] = first;
    const size_t from = group * kTilePixels;
    const int to = tables.count * kTilePixels;
    const bool all = placed.full[group] != 0 && image + placed.plan.images <= images.count;
    // Offsets beyond the images that are left belong to none.
    const auto fill = [&]<class T>(const std::vector<int64_t>& offsets, const FeatureMap& map, T* base, T** pointers) {
      const int64_t image_bytes = map.image_stride() * value_bytes_, end = (images.count - image) * image_bytes;
      T* unit = base + image * image_bytes;
      for (int i = 0; all && i < kTilePixels; ++i) pointers[to + i] = unit + offsets[from + i];
      for (int i = 0; !all && i < kTilePixels; ++i) {
        const int64_t offset = offsets[from + i];
        pointers[to + i] = offset >= 0 && offset < end ? unit + offset : unread;
      }
    };
    fill(placed.outputs, maps_.out, static_cast<uint8_t*>(images.out), tables.outputs);
    if (images.residual != nullptr) {
      fill(placed.residuals, maps_.residual, static_cast<const uint8_t*>(images.residual), tables.residuals);
    }
    if (++tables.count == kGroupsPerCall) Convolve(placed.plan, images, workspace, tables);
  }

  void Convolve(const TilePlan& plan, const ConvImages& images, uint8_t* workspace, CallTables& tables) const {
    if (tables.count == 0) return;
    kernels_.convolve({.groups = tables.groups,
                       .group_count = tables.count,
                       .pixel_stride = plan.pixel_stride,
                       .steps = plan.steps.data(),
                       .step_count = static_cast<int64_t>(plan.steps.size()),
                       .panel = panel_.data(),
                       .weight_bits = weight_bits_,
                       .blocks = BlocksFor(node_.out.channels),
                       .epilogue = epilogue_.view(0),
                       .residuals = images.residual == nullptr ? nullptr : tables.residuals,
                       .outputs = tables.outputs,
                       .scratch = workspace});
    tables.count = 0;
  }

  const TileKernels& kernels_;
  const PlannedNode node_;
  const ConvMaps maps_;
  std::vector<PlacedPlan> plans_;
  const AlignedBuffer panel_;
  const int weight_bits_;
  const int64_t value_bytes_;
  const PackedEpilogue epilogue_;
  const int64_t workspace_bytes_;
};

}  // namespace

std::unique_ptr<ConvLayer> PackTileConv(bool packed, const KernelTable& kernels, const PlannedNode& node,
                                        const ConvMaps& maps, const ConvWeights& weights) {
  if (kernels.tiles == nullptr) return nullptr;
  int bits = 8;
  if (packed) {
    const bool padded = node.in.channels % kTileStepBytes != 0 || node.in.channels != maps.in.stored_channels;
    bits = PackedBits(weights, padded);
    if (bits == 0 || BlocksFor(node.out.channels) % 4 != 0) return nullptr;
  }
  const TileLayout layout = PlanTiles(node, maps.in);
  AlignedBuffer panel = TilePanel(node, maps.in, weights, layout.depth);
  if (packed) panel = PackedPanel(panel, bits);
  return MakeTileConv(kernels, node, maps, weights, layout, std::move(panel), bits);
}

std::unique_ptr<ConvLayer> MakeTileConv(const KernelTable& kernels, const PlannedNode& node, const ConvMaps& maps,
                                        const ConvWeights& weights, const TileLayout& layout, AlignedBuffer panel,
                                        int weight_bits) {
  return std::make_unique<TileConv>(kernels, node, maps, weights, UsefulPlans(layout, node), std::move(panel),
                                    weight_bits);
}

TileWorkspace TileWorkspaceFor(const PlannedNode& node, const std::vector<TilePlan>& plans) {
  int64_t copies = 0;
  for (const TilePlan& plan : plans) copies = std::max(copies, UnitsAtOnce(plan) * plan.unit_bytes);
  return {.copies = CopyOffset(node), .bytes = CopyOffset(node) + copies + kCopyStep};
}

int64_t MaxTileWorkspaceBytes(const KernelTable& kernels, const PlannedNode& node, const FeatureMap& in) {
  return kernels.tiles == nullptr ? 0 : TileWorkspaceFor(node, PlanTiles(node, in).plans).bytes;
}

}  // namespace anybit::model
