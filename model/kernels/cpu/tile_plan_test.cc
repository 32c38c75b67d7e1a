#include "model/kernels/cpu/tile_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "model/kernels/cpu/panel_size.h"

namespace anybit::model {
namespace {

using Source = TilePlan::Source;

struct Shape {
  int64_t height, width, channels;
  int kernel, stride, padding;
  int64_t border = 1;  // at least; before and after the map
};

constexpr Shape kShapes[] = {
    {8, 8, 64, 3, 1, 1},   {4, 4, 128, 3, 1, 1},   {7, 7, 64, 3, 1, 1},    {16, 16, 64, 3, 1, 1},
    {14, 14, 64, 3, 1, 1}, {14, 14, 256, 1, 1, 0}, {32, 32, 16, 3, 1, 1},  {16, 16, 32, 3, 2, 1},
    {8, 8, 64, 3, 2, 1},   {8, 8, 64, 1, 2, 0},    {56, 56, 64, 3, 1, 1},  {28, 28, 128, 3, 2, 1},
    {20, 33, 3, 7, 2, 3},  {1, 1, 64, 1, 1, 0, 0}, {1, 40, 48, 3, 1, 1},   {2, 15, 64, 3, 2, 1},
    {9, 9, 80, 5, 1, 2},   {6, 5, 192, 3, 1, 0},   {12, 10, 64, 4, 3, 1},  {1, 17, 16, 1, 1, 0, 0},
    {3, 3, 64, 2, 2, 1},   {30, 12, 64, 3, 2, 1},  {224, 16, 16, 3, 1, 1}, {5, 14, 64, 1, 1, 0, 0},
};

PlannedNode NodeOf(const Shape& shape) {
  PlannedNode node;
  node.in = {.height = shape.height, .width = shape.width, .channels = shape.channels};
  node.kernel = shape.kernel;
  node.stride = shape.stride;
  node.padding = shape.padding;
  const auto extent = [&](int64_t in) { return (in + 2 * shape.padding - shape.kernel) / shape.stride + 1; };
  node.out = {.height = extent(shape.height), .width = extent(shape.width), .channels = 64};
  return node;
}

FeatureMap MapOf(const Shape& shape) {
  const int64_t border = std::max<int64_t>(shape.border, shape.padding);
  return {.height = shape.height,
          .width = shape.width,
          .channels = shape.channels,
          .stored_channels = shape.channels,
          .before = border,
          .after = border};
}

// What the bytes of a unit's copy are: (image, byte of it), or none.
std::map<int64_t, std::pair<int, int64_t>> CopyOf(const TilePlan& plan) {
  std::map<int64_t, std::pair<int, int64_t>> bytes;
  for (const TilePlan::Copy& copy : plan.copies) {
    for (int64_t i = 0; i < copy.bytes; ++i) bytes[copy.to + i] = {copy.image, copy.from + i};
  }
  return bytes;
}

// The window of a pixel in the order of the panel's depth: bytes of the image, or -1 where the panel has no weights.
std::vector<int64_t> WindowOf(const Shape& shape, const FeatureMap& map, const TileDepth& depth,
                              const TilePlan::Pixel& pixel) {
  std::vector<int64_t> bytes(depth.steps * kTileStepBytes, -1);
  const int64_t row = int64_t{shape.kernel} * shape.channels;
  for (int y = 0; y < shape.kernel; ++y) {
    for (int64_t i = 0; i < row; ++i) {
      bytes[y * depth.row_bytes + i] =
          map.at(pixel.y * shape.stride - shape.padding + y, pixel.x * shape.stride - shape.padding) + i;
    }
  }
  return bytes;
}

class TilePlanTest : public testing::TestWithParam<Shape> {
 protected:
  const Shape& shape() const { return GetParam(); }
  const FeatureMap map_ = MapOf(GetParam());
  const TileLayout layout_ = PlanTiles(NodeOf(GetParam()), MapOf(GetParam()));
};

TEST_P(TilePlanTest, ComputesEveryPixelOfEveryImage) {
  const PlannedNode node = NodeOf(shape());
  for (const TilePlan& plan : layout_.plans) {
    ASSERT_EQ(plan.pixels.size(), plan.groups.size() * kTilePixels);
    std::set<std::tuple<int, int, int>> pixels;
    for (const TilePlan::Pixel& pixel : plan.pixels) {
      if (pixel.image < 0) continue;
      EXPECT_TRUE(pixel.y >= 0 && pixel.y < node.out.height && pixel.x >= 0 && pixel.x < node.out.width);
      pixels.insert({pixel.image, pixel.y, pixel.x});
    }
    EXPECT_EQ(static_cast<int64_t>(pixels.size()), plan.images * node.out.height * node.out.width);
  }
}

TEST_P(TilePlanTest, ReadsTheWindowOfEachPixelInTheOrderOfThePanel) {
  for (const TilePlan& plan : layout_.plans) {
    ASSERT_EQ(static_cast<int64_t>(plan.steps.size()), layout_.depth.steps);
    if (plan.source == Source::kGathered) continue;
    const auto copy = CopyOf(plan);
    for (size_t i = 0; i < plan.pixels.size(); ++i) {
      const TilePlan::Pixel& pixel = plan.pixels[i];
      if (pixel.image < 0) continue;
      const int64_t first = plan.groups[i / kTilePixels] + static_cast<int64_t>(i % kTilePixels) * plan.pixel_stride;
      const std::vector<int64_t> window = WindowOf(shape(), map_, layout_.depth, pixel);
      for (size_t at = 0; at < window.size(); ++at) {
        if (window[at] < 0) continue;
        const int64_t from = first + plan.steps[at / kTileStepBytes] + static_cast<int64_t>(at % kTileStepBytes);
        if (plan.source == Source::kInPlace) {
          ASSERT_EQ(from, window[at]);
        } else {
          ASSERT_TRUE(copy.contains(from));
          ASSERT_EQ(copy.at(from), std::make_pair(int{pixel.image}, window[at]));
        }
      }
    }
  }
}

TEST_P(TilePlanTest, GathersTheWindowOfEachPixelInTheOrderOfThePanel) {
  const TilePlan& plan = layout_.plans.back();
  ASSERT_EQ(plan.source == Source::kGathered || layout_.depth.row_bytes != shape().kernel * shape().channels, true);
  if (plan.source != Source::kGathered) return;
  ASSERT_EQ(plan.windows.size(), plan.pixels.size());
  for (size_t i = 0; i < plan.pixels.size(); ++i) {
    if (plan.pixels[i].image < 0) continue;
    std::vector<int64_t> got(plan.pixel_stride + kCopyStep, -1);
    for (const TilePlan::Copy& row : plan.copies) {
      for (int64_t at = 0; at < row.bytes; ++at) got[row.to + at] = plan.windows[i] + row.from + at;
    }
    const std::vector<int64_t> window = WindowOf(shape(), map_, layout_.depth, plan.pixels[i]);
    for (size_t at = 0; at < window.size(); ++at) {
      ASSERT_TRUE(window[at] < 0 || got[at] == window[at]);
    }
  }
}

TEST_P(TilePlanTest, ReadsNothingOutsideTheImageAndAStepBehindIt) {
  const int64_t image = map_.image_stride();
  for (const TilePlan& plan : layout_.plans) {
    const int64_t end = plan.source == Source::kInPlace ? image + kTileStepBytes : plan.unit_bytes;
    for (int64_t group : plan.groups) {
      EXPECT_GE(group, 0);
      for (int64_t step : plan.steps) {
        EXPECT_GE(step, 0);
        EXPECT_LE(group + (kTilePixels - 1) * plan.pixel_stride + step + kTileStepBytes, end);
      }
    }
    for (const TilePlan::Copy& copy : plan.copies) {
      EXPECT_EQ(copy.bytes % kCopyStep, 0);
      if (plan.source == Source::kCopied) {
        EXPECT_GE(copy.from, 0);
        EXPECT_LE(copy.from + copy.bytes, image);
        EXPECT_LE(copy.to + copy.bytes, end);
      } else {
        for (int64_t window : plan.windows) {
          EXPECT_GE(window, 0);
          EXPECT_LE(window + copy.from + copy.bytes, image + kCopyStep);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TilePlanTest, testing::ValuesIn(kShapes), [](const auto& info) {
  const Shape& s = info.param;
  const auto text = [](int64_t value) { return std::to_string(value); };
  return text(s.height) + "x" + text(s.width) + "x" + text(s.channels) + "_k" + text(s.kernel) + "_s" + text(s.stride) +
         "_p" + text(s.padding);
});

const TilePlan& Cheapest(const TileLayout& layout, int64_t count) {
  return *std::min_element(layout.plans.begin(), layout.plans.end(), [&](const TilePlan& a, const TilePlan& b) {
    return a.CyclesFor(count, 4) < b.CyclesFor(count, 4);
  });
}

Source CheapestSource(const Shape& shape, int64_t count) {
  return Cheapest(PlanTiles(NodeOf(shape), MapOf(shape)), count).source;
}

TEST(CheapestTilePlan, ReadsWideMapsInPlace) {
  for (const Shape& shape : {Shape{16, 16, 64, 3, 1, 1}, Shape{32, 32, 16, 3, 1, 1}, Shape{56, 56, 64, 3, 1, 1},
                             Shape{32, 32, 64, 3, 2, 1}, Shape{14, 14, 256, 1, 1, 0}}) {
    EXPECT_EQ(CheapestSource(shape, 1), Source::kInPlace) << shape.width;
  }
}

TEST(CheapestTilePlan, PutsImagesOfNarrowMapsSideBySide) {
  const TileLayout narrow = PlanTiles(NodeOf({4, 4, 256, 3, 1, 1}), MapOf({4, 4, 256, 3, 1, 1}));
  EXPECT_EQ(Cheapest(narrow, 8).images, 4);
  EXPECT_EQ(Cheapest(narrow, 8).groups.size(), 4u);
  EXPECT_EQ(Cheapest(narrow, 5).images, 1) << "three quarters of the last tiles would be empty";
  EXPECT_EQ(Cheapest(narrow, 1).images, 1);
  EXPECT_EQ(Cheapest(narrow, 1).groups.size(), 1u);
}

// Fewer tiles than in place, where each kernel row takes a step of its own: worth a copy where many outputs share it.
TEST(CheapestTilePlan, PutsFewerImagesSideBySideThanFitWhereThatIsStillCheaper) {
  const TileLayout tiny = PlanTiles(NodeOf({3, 3, 64, 3, 1, 1}), MapOf({3, 3, 64, 3, 1, 1}));
  EXPECT_EQ(Cheapest(tiny, 4).images, 5);
}

TEST(CheapestTilePlan, GathersShortRowsForManyOutputs) {
  const Shape image = {32, 32, 3, 7, 2, 3};
  PlannedNode node = NodeOf(image);
  EXPECT_EQ(PlanTiles(node, MapOf(image)).depth.steps, 7);
  node.out.channels = 512;
  const TileLayout gathered = PlanTiles(node, MapOf(image));
  EXPECT_EQ(gathered.plans.front().source, Source::kGathered);
  EXPECT_EQ(gathered.depth.steps, 3);
}

}  // namespace
}  // namespace anybit::model
