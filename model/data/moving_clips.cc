#include "model/data/moving_clips.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "model/data/image.h"

namespace anybit::model {
namespace {

// Position of the object at one time. `turn` is the tangent of half of its angle: sine and cosine are then fractions of
// it, equal on every machine.
struct Pose {
  double y, x;   // of its middle, in pixels
  double scale;  // pixels per pixel of the object's image
  double turn;
};

Pose Between(const Pose& a, const Pose& b, double t) {
  const auto mix = [t](double from, double to) { return from + (to - from) * t; };
  return {mix(a.y, b.y), mix(a.x, b.x), mix(a.scale, b.scale), mix(a.turn, b.turn)};
}

// Opaque bars of equal pitch, vertical or horizontal.
struct Bars {
  bool upright;
  std::vector<bool> hidden;  // by column for vertical bars, by line for horizontal ones
  int brightness;

  bool Cover(int64_t y, int64_t x) const { return hidden[upright ? x : y]; }
};

Bars DrawBars(const ExampleShape& shape, std::mt19937_64& random) {
  Bars bars{.upright = random() % 2 == 0};
  const double pitch = UniformIn(random, 0.25, 0.4) * static_cast<double>(std::min(shape.height, shape.width));
  const double gap = UniformIn(random, 0.8, 0.9) * pitch, phase = UniformIn(random, 0, pitch);
  const int64_t extent = bars.upright ? shape.width : shape.height;
  for (int64_t i = 0; i < extent; ++i) bars.hidden.push_back(std::fmod(static_cast<double>(i) + phase, pitch) >= gap);
  bars.brightness = static_cast<int>(UniformInt(random, 20, 200));
  return bars;
}

struct Box {
  int64_t top, left, bottom, right;
  int brightness;

  bool Holds(int64_t y, int64_t x) const { return y >= top && y < bottom && x >= left && x < right; }
};

struct Scene {
  Pose first, last;
  Bars bars;
  int background;
};

// A path from one side of the centre to the other, its direction uniform over the disc.
Scene DrawScene(const ExampleShape& shape, int64_t object, std::mt19937_64& random) {
  const double side = static_cast<double>(std::min(shape.height, shape.width));
  double dy, dx;
  do {
    dy = UniformIn(random, -1, 1);
    dx = UniformIn(random, -1, 1);
  } while (dy * dy + dx * dx > 1 || dy * dy + dx * dx < 0.01);
  const double reach = UniformIn(random, 0.1, 0.2) * side / std::sqrt(dy * dy + dx * dx);
  const double middle_y = static_cast<double>(shape.height) / 2, middle_x = static_cast<double>(shape.width) / 2;
  const auto pose = [&](double direction) {
    return Pose{middle_y + direction * reach * dy, middle_x + direction * reach * dx,
                UniformIn(random, 0.8, 1.0) * side / static_cast<double>(object), UniformIn(random, -0.2, 0.2)};
  };
  Scene scene{.first = pose(-1), .last = pose(1)};
  scene.bars = DrawBars(shape, random);
  scene.background = static_cast<int>(UniformInt(random, 0, 50));
  return scene;
}

Box DrawPasserBy(const ExampleShape& shape, std::mt19937_64& random) {
  const int64_t height = UniformInt(random, shape.height * 3 / 8, shape.height * 3 / 4);
  const int64_t width = UniformInt(random, shape.width * 3 / 8, shape.width * 3 / 4);
  const int64_t top = UniformInt(random, 0, shape.height - height), left = UniformInt(random, 0, shape.width - width);
  return {top, left, top + height, left + width, static_cast<int>(UniformInt(random, 20, 200))};
}

// The object's brightness around a point of its image, bilinear, 0 outside.
double Sample(std::span<const uint8_t> image, int64_t height, int64_t width, double y, double x) {
  const double top = std::floor(y), left = std::floor(x);
  const auto at = [&](double row, double column) -> double {
    if (row < 0 || column < 0 || row >= static_cast<double>(height) || column >= static_cast<double>(width)) return 0;
    return image[static_cast<int64_t>(row) * width + static_cast<int64_t>(column)];
  };
  const double down = y - top, right = x - left;
  return (1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

}  // namespace

MovingClips::MovingClips(MemoryExamples objects, const ExampleShape& shape, std::vector<uint16_t> labels, uint64_t seed)
    : ExampleSet(shape, RowCost::kDecode, objects.classes(), std::move(labels), objects.class_names()),
      objects_(std::move(objects)),
      seed_(seed) {}

absl::StatusOr<MovingClips> MovingClips::Create(MemoryExamples objects, const ExampleShape& shape, uint64_t seed) {
  constexpr int64_t kMinSide = 16;  // pixels; smaller objects cannot be recognized
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  if (shape.height < kMinSide || shape.width < kMinSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("moving clips of ", ToText(shape), "; frames hold ", kMinSide, "x", kMinSide, " pixels or more"));
  }
  if (objects.shape().frames != 1 || objects.shape().channels != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("moving objects of ", ToText(objects.shape()), "; they are grey images"));
  }
  std::vector<uint16_t> labels;
  for (int64_t i = 0; i < objects.count(); ++i) labels.push_back(static_cast<uint16_t>(objects.label(i)));
  return MovingClips(std::move(objects), shape, std::move(labels), seed);
}

absl::Status MovingClips::Read(int64_t i, std::span<uint8_t> row) const {
  const int64_t rows = objects_.shape().height, columns = objects_.shape().width;
  const auto object = objects_.rows(i, 1);
  std::mt19937_64 random(MixSeed(seed_, static_cast<uint64_t>(i)));
  const Scene scene = DrawScene(shape(), std::max(rows, columns), random);
  uint8_t* out = row.data();
  for (int64_t f = 0; f < shape().frames; ++f) {
    const Pose pose =
        Between(scene.first, scene.last, (static_cast<double>(f) + 0.5) / static_cast<double>(shape().frames));
    const double square = 1 + pose.turn * pose.turn;
    const double cosine = (1 - pose.turn * pose.turn) / square / pose.scale, sine = 2 * pose.turn / square / pose.scale;
    const double light = UniformIn(random, 0.4, 1.2);
    const double spread = UniformUnit(random);
    const double noise = 6 + 100 * spread * spread * spread;
    const bool passing = random() % 2 != 0;
    const Box passer_by = DrawPasserBy(shape(), random);
    for (int64_t y = 0; y < shape().height; ++y) {
      for (int64_t x = 0; x < shape().width; ++x) {
        double value;
        if (passing && passer_by.Holds(y, x)) {
          value = passer_by.brightness;
        } else if (scene.bars.Cover(y, x)) {
          value = scene.bars.brightness;
        } else {
          const double dy = static_cast<double>(y) + 0.5 - pose.y, dx = static_cast<double>(x) + 0.5 - pose.x;
          const double seen =
              Sample(object, rows, columns, cosine * dy - sine * dx + static_cast<double>(rows) / 2 - 0.5,
                     sine * dy + cosine * dx + static_cast<double>(columns) / 2 - 0.5);
          // Dark parts of the image are transparent; from a quarter of full brightness on it is opaque.
          const double there = std::min(1.0, seen / 64);
          value = scene.background + (seen - scene.background) * there;
        }
        // The difference of two uniform draws: triangular around 0.
        const uint64_t draw = random();
        const double shift =
            noise * (static_cast<double>(draw >> 32) - static_cast<double>(draw & 0xffffffff)) * 0x1.0p-32;
        const double lit = std::clamp(value * light + shift, 0.0, 255.0);
        for (int64_t c = 0; c < shape().channels; ++c) *out++ = static_cast<uint8_t>(lit + 0.5);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace anybit::model
