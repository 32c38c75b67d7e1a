#include "model/kernels/cpu/tile_plan.h"

#include <algorithm>
#include <utility>

#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

using Source = TilePlan::Source;

constexpr TilePlan::Pixel kNone = {.image = -1, .y = 0, .x = 0};

// Cycles, measured on Emerald Rapids: a product; a load of 16 rows by their stride; vector instructions that share a
// port with the tile unit, for one tile's epilogue; a copy.
constexpr double kProductCycles = 16, kEpilogueCycles = 48;
constexpr double kCopyBytesPerCycle = 16, kCopyCycles = 4;
double LoadCycles(int64_t stride) { return stride % kTileStepBytes == 0 ? 8 : stride % 32 == 0 ? 19 : 30; }

class Planner {
 public:
  Planner(const PlannedNode& node, const FeatureMap& in) : node_(node), in_(in) {}

  // In place, each line of outputs by itself.
  std::optional<TilePlan> Lines() const {
    TilePlan plan = InPlace();
    for (int64_t y = 0; y < height(); ++y) {
      for (int64_t x = 0; x < width(); x += kTilePixels) {
        // The last group of a line ends with it: pixels that two groups have are computed twice.
        const int64_t last = width() - kTilePixels;
        std::optional<int64_t> first = last >= 0 ? std::optional(std::min(x, last)) : std::nullopt;
        // A line that is shorter than a group reads on, in the next line or, where none follows, in the one before.
        for (int64_t candidate : {int64_t{0}, last}) {
          if (!first.has_value() && Fits(plan, Window(y, candidate))) first = candidate;
        }
        if (!first.has_value()) return std::nullopt;
        plan.groups.push_back(Window(y, *first));
        for (int64_t i = *first; i < *first + kTilePixels; ++i) {
          plan.pixels.push_back(i >= 0 && i < width() ? PixelAt(0, y, i) : kNone);
        }
      }
    }
    return plan;
  }

  // In place at stride 1, from line to line through the border between them.
  std::optional<TilePlan> Run() const {
    const int64_t line = in_.row_stride() / channels(), total = (height() - 1) * line + width();
    if (node_.stride != 1 || total < kTilePixels) return std::nullopt;
    TilePlan plan = InPlace();
    for (int64_t at = 0; at < total; at += kTilePixels) {
      const int64_t first = std::min(at, total - kTilePixels);
      plan.groups.push_back(Window(0, 0) + first * channels());
      for (int64_t i = first; i < first + kTilePixels; ++i) {
        plan.pixels.push_back(i % line < width() ? PixelAt(0, i / line, i % line) : kNone);
      }
    }
    return plan;
  }

  // Copies of whole images: [line][column][image][channels], the columns by their remainder modulo the stride.
  std::optional<TilePlan> SideBySide() const {
    if (!HasWholePixels() || width() * 2 > kTilePixels) return std::nullopt;
    TilePlan plan;
    plan.source = Source::kCopied;
    plan.images = static_cast<int>(kTilePixels / width());
    plan.pixel_stride = channels();
    const Sampled s = SampledMap();
    const int64_t columns = (width() - 1) * s.stride + s.kernel, lines = (height() - 1) * s.stride + s.kernel;
    const int64_t pixel = plan.images * channels(), line = columns * pixel;
    for (int64_t y = 0; y < lines; ++y) {
      for (int64_t x = 0; x < columns; ++x) {
        for (int i = 0; i < plan.images; ++i) {
          plan.copies.push_back({.image = i,
                                 .bytes = static_cast<int32_t>(channels()),
                                 .from = Window(0, 0) + y * s.step * in_.row_stride() + x * s.step * channels(),
                                 .to = y * line + Place(x, columns, s.stride) * pixel + i * channels()});
        }
      }
    }
    for (int64_t y = 0; y < s.kernel; ++y) {
      for (int64_t x = 0; x < s.kernel; ++x) AddSteps(y * line + Place(x, columns, s.stride) * pixel, channels(), plan);
    }
    for (int64_t y = 0; y < height(); ++y) {
      plan.groups.push_back(y * s.stride * line);
      for (int64_t i = 0; i < kTilePixels; ++i) {
        const int64_t x = i / plan.images;
        plan.pixels.push_back(x < width() ? PixelAt(static_cast<int>(i % plan.images), y, x) : kNone);
      }
    }
    plan.unit_bytes = ReadBytes(plan);
    return plan;
  }

  // A copy for each kernel column, without the columns that its windows do not start from: [kernel column][line]
  // [column][channels], the lines by their remainder modulo the stride.
  std::optional<TilePlan> Columns() const {
    if (!HasWholePixels() || width() >= kTilePixels) return std::nullopt;
    TilePlan plan;
    plan.source = Source::kCopied;
    plan.pixel_stride = channels();
    const Sampled s = SampledMap();
    const int64_t lines = (height() - 1) * s.stride + s.kernel, line = width() * channels();
    const auto place = [&](int64_t x, int64_t y) { return (x * lines + Place(y, lines, s.stride)) * line; };
    for (int64_t x = 0; x < s.kernel; ++x) {
      for (int64_t y = 0; y < lines; ++y) AddLine(s, x, y, place(x, y), plan);
    }
    for (int64_t y = 0; y < s.kernel; ++y) {
      for (int64_t x = 0; x < s.kernel; ++x) AddSteps(place(x, y), channels(), plan);
    }
    const int64_t total = height() * width();
    for (int64_t first = 0; first < total; first += kTilePixels) {
      plan.groups.push_back(first * channels());
      for (int64_t i = first; i < first + kTilePixels; ++i) {
        plan.pixels.push_back(i < total ? PixelAt(0, i / width(), i % width()) : kNone);
      }
    }
    plan.unit_bytes = ReadBytes(plan);
    return plan;
  }

  TilePlan Gathered(const TileDepth& depth) const {
    TilePlan plan;
    plan.source = Source::kGathered;
    plan.pixel_stride = depth.steps * kTileStepBytes;
    AddSteps(0, plan.pixel_stride, plan);
    for (int64_t y = 0; y < node_.kernel; ++y) {
      plan.copies.push_back({.image = 0,
                             .bytes = static_cast<int32_t>(RoundUp(RowBytes(), kCopyStep)),
                             .from = y * in_.row_stride(),
                             .to = y * depth.row_bytes});
    }
    plan.unit_bytes = kTilePixels * plan.pixel_stride;
    const int64_t total = height() * width();
    for (int64_t first = 0; first < total; first += kTilePixels) {
      plan.groups.push_back(0);
      for (int64_t i = first; i < first + kTilePixels; ++i) {
        const int64_t pixel = std::min(i, total - 1);
        plan.windows.push_back(Window(pixel / width(), pixel % width()));
        plan.pixels.push_back(i < total ? PixelAt(0, pixel / width(), pixel % width()) : kNone);
      }
    }
    return plan;
  }

  // Kernel rows that begin with a step each, as tiles in place need, or close to each other.
  TileDepth Depth(int64_t multiple) const {
    const int64_t row = RoundUp(RowBytes(), multiple);
    return {.row_bytes = row, .steps = RoundUp(node_.kernel * row, kTileStepBytes) / kTileStepBytes};
  }

 private:
  // What a copy holds of the map: of 1x1 kernels only the pixels that are read.
  struct Sampled {
    int64_t stride, step, kernel;
  };

  Sampled SampledMap() const {
    if (node_.kernel == 1) return {.stride = 1, .step = node_.stride, .kernel = 1};
    return {.stride = node_.stride, .step = 1, .kernel = node_.kernel};
  }

  int64_t channels() const { return in_.stored_channels; }
  int64_t height() const { return node_.out.height; }
  int64_t width() const { return node_.out.width; }
  int64_t RowBytes() const { return node_.kernel * channels(); }
  bool HasWholePixels() const { return channels() % kTileStepBytes == 0; }

  // The first byte of the window of output pixel (y, x).
  int64_t Window(int64_t y, int64_t x) const {
    return in_.at(y * node_.stride - node_.padding, x * node_.stride - node_.padding);
  }

  static TilePlan::Pixel PixelAt(int image, int64_t y, int64_t x) {
    return {.image = image, .y = static_cast<int32_t>(y), .x = static_cast<int32_t>(x)};
  }

  // The place of line or column `i` of `count` that are ordered by their remainder modulo `stride`.
  static int64_t Place(int64_t i, int64_t count, int64_t stride) {
    int64_t before = 0;
    for (int64_t remainder = 0; remainder < i % stride; ++remainder)
      before += (count - remainder + stride - 1) / stride;
    return before + i / stride;
  }

  static void AddSteps(int64_t from, int64_t bytes, TilePlan& plan) {
    for (int64_t at = 0; at < bytes; at += kTileStepBytes) plan.steps.push_back(from + at);
  }

  // What the windows' kernel column `x` meets of sampled line `y`.
  void AddLine(const Sampled& s, int64_t x, int64_t y, int64_t to, TilePlan& plan) const {
    const int64_t from = Window(0, 0) + y * s.step * in_.row_stride() + x * channels();
    const int64_t between = s.stride * s.step;
    const int64_t pixels = between == 1 ? width() : 1;  // of one copy
    for (int64_t i = 0; i < width(); i += pixels) {
      plan.copies.push_back({.image = 0,
                             .bytes = static_cast<int32_t>(pixels * channels()),
                             .from = from + i * between * channels(),
                             .to = to + i * channels()});
    }
  }

  TilePlan InPlace() const {
    TilePlan plan;
    plan.pixel_stride = node_.stride * channels();
    for (int64_t y = 0; y < node_.kernel; ++y) {
      AddSteps(y * in_.row_stride(), RoundUp(RowBytes(), kTileStepBytes), plan);
    }
    return plan;
  }

  // The end of what a group reads that starts at `first`.
  static int64_t ReadEnd(const TilePlan& plan, int64_t first) {
    const int64_t last_step = *std::max_element(plan.steps.begin(), plan.steps.end());
    return first + (kTilePixels - 1) * plan.pixel_stride + last_step + kTileStepBytes;
  }

  bool Fits(const TilePlan& plan, int64_t first) const {
    return first >= 0 && ReadEnd(plan, first) <= in_.image_stride() + kTileStepBytes;
  }

  static int64_t ReadBytes(const TilePlan& plan) {
    int64_t end = 0;
    for (int64_t first : plan.groups) end = std::max(end, ReadEnd(plan, first));
    for (const TilePlan::Copy& copy : plan.copies) end = std::max(end, copy.to + copy.bytes);
    return RoundUp(end, kTileStepBytes);
  }

  const PlannedNode& node_;
  const FeatureMap& in_;
};

}  // namespace

double TilePlan::CyclesFor(int64_t count, int64_t blocks) const {
  const auto steps_of_tile = static_cast<double>(steps.size());
  // Two loads of pixels and two of weights bring four products.
  const double step = std::max(kProductCycles, (2 * LoadCycles(pixel_stride) + 2 * LoadCycles(0)) / 4);
  const double tiles = static_cast<double>(groups.size()) * static_cast<double>(blocks);
  double copying = 0;
  for (const Copy& copy : copies) copying += kCopyCycles + static_cast<double>(copy.bytes) / kCopyBytesPerCycle;
  if (source == Source::kGathered) copying *= static_cast<double>(pixels.size());
  const auto units = static_cast<double>((count + images - 1) / images);
  return units * (tiles * std::max(kEpilogueCycles, steps_of_tile * step) + copying);
}

TileLayout PlanTiles(const PlannedNode& node, const FeatureMap& in) {
  const Planner planner(node, in);
  TileLayout in_place{.depth = planner.Depth(kTileStepBytes), .plans = {}};
  for (std::optional<TilePlan> plan : {planner.Lines(), planner.Run(), planner.SideBySide(), planner.Columns()}) {
    if (plan.has_value()) in_place.plans.push_back(*std::move(plan));
  }
  const TileDepth close = planner.Depth(kStepBytes);
  TilePlan gathered = planner.Gathered(close);
  if (close.row_bytes == in_place.depth.row_bytes) {
    in_place.plans.push_back(std::move(gathered));
    return in_place;
  }
  const int64_t blocks = BlocksFor(node.out.channels);
  const auto cycles = [&](const TilePlan& plan) { return plan.CyclesFor(1, blocks); };
  for (const TilePlan& plan : in_place.plans) {
    if (cycles(plan) <= cycles(gathered)) return in_place;
  }
  return {.depth = close, .plans = {std::move(gathered)}};
}

}  // namespace anybit::model
