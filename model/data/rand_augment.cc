#include "model/data/rand_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "base/random.h"
#include "model/data/sample_bilinear.h"

namespace anybit::model {
namespace {

uint8_t ToByte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

// `value` as far from `origin` as `factor` says.
uint8_t Blend(double origin, uint8_t value, double factor) { return ToByte(origin + factor * (value - origin)); }

// Calls change(value) for each value.
template <typename Change>
void ForEachValue(std::span<uint8_t> row, const Change& change) {
  for (uint8_t& value : row) value = change(value);
}

// Moves each pixel: the place of (y, x), relative to the middle, is linear in y and x, plus an offset.
struct Linear {
  double yy = 1, yx = 0, xy = 0, xx = 1;
  double dy = 0, dx = 0;
};

void Move(const Linear& map, const ExampleShape& shape, std::span<uint8_t> row) {
  const double middle_y = static_cast<double>(shape.height - 1) / 2,
               middle_x = static_cast<double>(shape.width - 1) / 2;
  const auto source = [&](int64_t y, int64_t x) {
    const double py = static_cast<double>(y) - middle_y, px = static_cast<double>(x) - middle_x;
    return std::pair(map.yy * py + map.yx * px + middle_y + map.dy, map.xy * py + map.xx * px + middle_x + map.dx);
  };
  const int64_t size = shape.elements() / shape.frames;
  std::vector<uint8_t> frame(size);
  for (int64_t f = 0; f < shape.frames; ++f) {
    std::copy_n(row.data() + f * size, size, frame.data());
    SampleBilinear(shape, BlackOutside{shape, frame.data()}, source, row.data() + f * size);
  }
}

using Histogram = std::array<int64_t, 256>;

// Maps each channel by the table that `table` makes of its histogram.
template <typename Table>
void MapChannels(const ExampleShape& shape, std::span<uint8_t> row, const Table& table) {
  for (int64_t c = 0; c < shape.channels; ++c) {
    Histogram histogram = {};
    for (size_t i = c; i < row.size(); i += shape.channels) ++histogram[row[i]];
    const std::array<uint8_t, 256> map = table(histogram);
    for (size_t i = c; i < row.size(); i += shape.channels) row[i] = map[row[i]];
  }
}

std::array<uint8_t, 256> Unchanged() {
  std::array<uint8_t, 256> map;
  for (int i = 0; i < 256; ++i) map[i] = static_cast<uint8_t>(i);
  return map;
}

std::array<uint8_t, 256> Stretched(const Histogram& histogram) {
  const auto used = [](int64_t count) { return count > 0; };
  const auto lowest = std::find_if(histogram.begin(), histogram.end(), used) - histogram.begin();
  const auto highest = 255 - (std::find_if(histogram.rbegin(), histogram.rend(), used) - histogram.rbegin());
  std::array<uint8_t, 256> map = Unchanged();
  if (highest <= lowest) return map;
  const auto range = static_cast<double>(highest - lowest);
  for (int i = 0; i < 256; ++i) map[i] = ToByte(255 * static_cast<double>(i - lowest) / range);
  return map;
}

// As Pillow does it: the steps between values are as wide as the values before them are frequent.
std::array<uint8_t, 256> Flattened(const Histogram& histogram) {
  int64_t total = 0, last = 0;
  for (const int64_t count : histogram) {
    total += count;
    if (count > 0) last = count;
  }
  const int64_t step = (total - last) / 255;
  std::array<uint8_t, 256> map = Unchanged();
  if (step == 0) return map;
  int64_t sum = step / 2;
  for (int i = 0; i < 256; ++i) {
    map[i] = static_cast<uint8_t>(std::min<int64_t>(sum / step, 255));
    sum += histogram[i];
  }
  return map;
}

double Luma(const uint8_t* pixel) { return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]; }

void ChangeColor(double factor, const ExampleShape& shape, std::span<uint8_t> row) {
  if (shape.channels != 3) return;
  for (size_t i = 0; i < row.size(); i += 3) {
    const double grey = Luma(&row[i]);
    for (size_t c = 0; c < 3; ++c) row[i + c] = Blend(grey, row[i + c], factor);
  }
}

void ChangeContrast(double factor, const ExampleShape& shape, std::span<uint8_t> row) {
  double sum = 0;
  if (shape.channels == 3) {
    for (size_t i = 0; i < row.size(); i += 3) sum += 3 * Luma(&row[i]);
  } else {
    for (const uint8_t value : row) sum += value;
  }
  const double mean = sum / static_cast<double>(row.size());
  ForEachValue(row, [&](uint8_t value) { return Blend(mean, value, factor); });
}

// The pixels at the border, which have no neighbours on one side, stay as they are.
void ChangeSharpness(double factor, const ExampleShape& shape, std::span<uint8_t> row) {
  const int64_t size = shape.elements() / shape.frames, line = shape.width * shape.channels;
  std::vector<uint8_t> frame(size);
  for (int64_t f = 0; f < shape.frames; ++f) {
    uint8_t* const to = row.data() + f * size;
    std::copy_n(to, size, frame.data());
    for (int64_t y = 1; y + 1 < shape.height; ++y) {
      for (int64_t i = y * line + shape.channels; i < (y + 1) * line - shape.channels; ++i) {
        int sum = 4 * frame[i];  // the middle counts five times
        for (int64_t above = -line; above <= line; above += line) {
          for (int64_t side = -shape.channels; side <= shape.channels; side += shape.channels) {
            sum += frame[i + above + side];
          }
        }
        to[i] = Blend(sum / 13.0, frame[i], factor);
      }
    }
  }
}

Linear Rotation(double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  return {.yy = std::cos(angle), .yx = -std::sin(angle), .xy = std::sin(angle), .xx = std::cos(angle)};
}

}  // namespace

void ApplyOperation(PictureOperation operation, double magnitude, bool negative, const ExampleShape& shape,
                    std::span<uint8_t> row) {
  const double share = magnitude / kMostMagnitude, way = negative ? -share : share;
  const double factor = 1 + 0.9 * way;
  // Whole pixels: a shift would otherwise blur.
  const auto shift = [&](int64_t extent) { return std::round(way * 150 / 331 * static_cast<double>(extent)); };
  switch (operation) {
    case PictureOperation::kIdentity: return;
    case PictureOperation::kAutoContrast: return MapChannels(shape, row, Stretched);
    case PictureOperation::kEqualize: return MapChannels(shape, row, Flattened);
    case PictureOperation::kRotate: return Move(Rotation(30 * way), shape, row);
    case PictureOperation::kSolarize:
      return ForEachValue(row, [least = 256 * (1 - share)](uint8_t value) {
        return value >= least ? static_cast<uint8_t>(255 - value) : value;
      });
    case PictureOperation::kColor: return ChangeColor(factor, shape, row);
    case PictureOperation::kPosterize:
      return ForEachValue(row, [dropped = std::lround(4 * share)](uint8_t value) {
        return static_cast<uint8_t>(value >> dropped << dropped);
      });
    case PictureOperation::kContrast: return ChangeContrast(factor, shape, row);
    case PictureOperation::kBrightness:
      return ForEachValue(row, [&](uint8_t value) { return Blend(0, value, factor); });
    case PictureOperation::kSharpness: return ChangeSharpness(factor, shape, row);
    case PictureOperation::kShearX: return Move({.xy = 0.3 * way}, shape, row);
    case PictureOperation::kShearY: return Move({.yx = 0.3 * way}, shape, row);
    case PictureOperation::kTranslateX: return Move({.dx = shift(shape.width)}, shape, row);
    case PictureOperation::kTranslateY: return Move({.dy = shift(shape.height)}, shape, row);
  }
}

void ApplyRandAugment(const RandAugment& setting, const ExampleShape& shape, std::mt19937_64& random,
                      std::span<uint8_t> row) {
  for (int i = 0; i < setting.operations; ++i) {
    const auto operation = static_cast<PictureOperation>(UniformInt(random, 0, kPictureOperations - 1));
    ApplyOperation(operation, setting.magnitude, random() % 2 == 0, shape, row);
  }
}

}  // namespace anybit::model
