// Where the tiles of a direct convolution lie in its input.
//
// A tile reads 16 windows that are one stride apart. So does a line of output pixels of an NHWC map, in place. Narrow
// maps are copied first: several images side by side, so that a line of all of them makes 16 windows, or one copy for
// each kernel column, without the border between lines. Anything else is gathered, window by window. All plans of a
// layer read their windows in the same order, so that they share a panel; the cheapest for a batch runs it.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TILE_PLAN_H_
#define ANYBIT_MODEL_KERNELS_CPU_TILE_PLAN_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "model/format/network_spec.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/feature_map.h"

namespace anybit::model {

// Copies are of whole multiples of it. They may read that many bytes, less one, beyond what they need.
inline constexpr int64_t kCopyStep = 16;

// Offsets are in bytes.
struct TilePlan {
  enum class Source : uint8_t {
    kInPlace,   // tiles read the image
    kCopied,    // tiles read a copy of one or several images
    kGathered,  // tiles read a copy of their windows
  };

  struct Copy {
    int32_t image;  // of the unit
    int32_t bytes;
    int64_t from;  // in that image; of gathered windows, from the window's first byte
    int64_t to;    // in the unit's copy; of gathered windows, in the window's
  };

  // An output pixel that a tile computes.
  struct Pixel {
    int32_t image;  // of the unit; negative for none
    int32_t y, x;
  };

  Source source = Source::kInPlace;
  int images = 1;          // of a unit
  int64_t unit_bytes = 0;  // of a unit's copy; of gathered windows, of a group's
  std::vector<Copy> copies;
  int64_t pixel_stride = 0;      // from window to window of a group
  std::vector<int64_t> steps;    // from a window's first byte to the 64 of each step
  std::vector<int64_t> groups;   // the first window of each group of a unit, in the image or its copy
  std::vector<Pixel> pixels;     // [16 * groups]
  std::vector<int64_t> windows;  // gathered: [16 * groups], of each pixel in the image

  // A rough count of cycles for so many images and `blocks` blocks of outputs.
  double CyclesFor(int64_t count, int64_t blocks) const;
};

// The order in which the panel holds the depth of a window: kernel rows one after the other.
struct TileDepth {
  int64_t row_bytes =
      0;  // of a kernel row; the first kernel * stored_channels are its pixels, the rest have no weights
  int64_t steps = 0;
};

struct TileLayout {
  TileDepth depth;
  std::vector<TilePlan> plans;  // not empty
};

// Of a convolution that is not depthwise. Reads of a group in place stay within its image and kTileStepBytes behind it;
// those of a copy, within the unit's bytes.
TileLayout PlanTiles(const PlannedNode& node, const FeatureMap& in);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TILE_PLAN_H_
