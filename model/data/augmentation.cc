#include "model/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/random.h"
#include "model/data/pixel_box.h"
#include "model/data/random_crop.h"
#include "model/data/sample_bilinear.h"

namespace anybit::model {
namespace {

// One name of the text: its limits, and its member of the struct.
struct Word {
  const char* name;
  double least, most;
  int Augmentation::*whole = nullptr;
  double Augmentation::*real = nullptr;
  bool Augmentation::*on = nullptr;
  RandAugment Augmentation::*drawn = nullptr;  // limits are those of its parts
};

constexpr Word kWords[] = {
    {"crop", 0.01, 1, nullptr, &Augmentation::crop},
    {"shift", 1, 4096, &Augmentation::shift},
    {"mirror", 0, 0, nullptr, nullptr, &Augmentation::mirror},
    {"rotate", 0.1, 45, nullptr, &Augmentation::rotate},
    {"scale", 0.01, 0.5, nullptr, &Augmentation::scale},
    {"randaugment", 0, 0, nullptr, nullptr, nullptr, &Augmentation::randaugment},
    {"cutout", 1, 4096, &Augmentation::cutout},
    {"erase", 0.001, 1, nullptr, &Augmentation::erase},
    {"mixup", 0.05, 1, nullptr, &Augmentation::mixup},
    {"cutmix", 0.05, 1, nullptr, &Augmentation::cutmix},
};

absl::StatusOr<RandAugment> ParseRandAugment(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  RandAugment drawn;
  if (absl::SimpleAtoi(parts.first, &drawn.operations) && drawn.operations >= 1 &&
      drawn.operations <= kMostOperations && absl::SimpleAtod(parts.second, &drawn.magnitude) && drawn.magnitude >= 0 &&
      drawn.magnitude <= kMostMagnitude) {
    return drawn;
  }
  return absl::InvalidArgumentError(absl::StrCat("augmentation 'randaugment=", text,
                                                 "': not OPERATIONS:MAGNITUDE with 1..", kMostOperations,
                                                 " operations and a magnitude in 0..", kMostMagnitude));
}

absl::Status Parse(const Word& word, absl::string_view value, Augmentation& augmentation) {
  if (word.on != nullptr) {
    if (!value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("augmentation '", word.name, "' takes no value"));
    }
    augmentation.*word.on = true;
    return absl::OkStatus();
  }
  if (word.drawn != nullptr) {
    absl::StatusOr<RandAugment> drawn = ParseRandAugment(value);
    if (drawn.ok()) augmentation.*word.drawn = *drawn;
    return drawn.status();
  }
  double number = 0;
  const bool valid = absl::SimpleAtod(value, &number) && number >= word.least && number <= word.most &&
                     (word.whole == nullptr || number == std::floor(number));
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat("augmentation '", word.name, "=", value, "': not ",
                                                   word.whole != nullptr ? "a whole number in " : "in ", word.least,
                                                   "..", word.most));
  }
  if (word.whole != nullptr) augmentation.*word.whole = static_cast<int>(number);
  if (word.real != nullptr) augmentation.*word.real = number;
  return absl::OkStatus();
}

// The source of a row's pixels: moved, mirrored and, at a higher cost, turned and scaled.
struct Placement {
  int64_t dy = 0, dx = 0;
  bool mirrored = false;
  double cosine = 1, sine = 0;  // of the rotation, divided by the scale
};

Placement DrawPlacement(const Augmentation& augmentation, std::mt19937_64& random) {
  Placement placement;
  placement.dy = UniformInt(random, -augmentation.shift, augmentation.shift);
  placement.dx = UniformInt(random, -augmentation.shift, augmentation.shift);
  placement.mirrored = augmentation.mirror && random() % 2 == 0;
  // Uniform in the tangent of the half angle, which avoids sines: nearly uniform in the angle up to 45 degrees.
  const double most = std::tan(augmentation.rotate * std::numbers::pi / 360);
  const double half = UniformIn(random, -most, most);
  const double size = 1 + UniformIn(random, -augmentation.scale, augmentation.scale);
  placement.cosine = (1 - half * half) / (1 + half * half) / size;
  placement.sine = 2 * half / (1 + half * half) / size;
  return placement;
}

void CopyMoved(const ExampleShape& shape, const Placement& placement, const uint8_t* from, uint8_t* to) {
  for (int64_t y = 0; y < shape.height; ++y) {
    for (int64_t x = 0; x < shape.width; ++x, to += shape.channels) {
      const int64_t sy = y + placement.dy;
      const int64_t sx = (placement.mirrored ? shape.width - 1 - x : x) + placement.dx;
      if (sy < 0 || sy >= shape.height || sx < 0 || sx >= shape.width) continue;
      std::copy_n(from + (sy * shape.width + sx) * shape.channels, shape.channels, to);
    }
  }
}

void CopyTurned(const ExampleShape& shape, const Placement& placement, const uint8_t* from, uint8_t* to) {
  const double middle_y = static_cast<double>(shape.height - 1) / 2,
               middle_x = static_cast<double>(shape.width - 1) / 2;
  const auto source = [&](int64_t y, int64_t x) {
    const double py = static_cast<double>(y + placement.dy) - middle_y;
    const double px = static_cast<double>((placement.mirrored ? shape.width - 1 - x : x) + placement.dx) - middle_x;
    return std::pair(placement.cosine * py - placement.sine * px + middle_y,
                     placement.sine * py + placement.cosine * px + middle_x);
  };
  SampleBilinear(shape, BlackOutside{shape, from}, source, to);
}

// A square around a pixel of the picture, clipped to the picture.
PixelBox DrawCutout(int64_t side, const ExampleShape& shape, std::mt19937_64& random) {
  const int64_t top = UniformInt(random, 0, shape.height - 1) - side / 2;
  const int64_t left = UniformInt(random, 0, shape.width - 1) - side / 2;
  return {std::max<int64_t>(top, 0), std::max<int64_t>(left, 0), std::min(top + side, shape.height),
          std::min(left + side, shape.width)};
}

PixelBox DrawErased(const ExampleShape& shape, std::mt19937_64& random) {
  const double area = UniformIn(random, 0.02, 0.33) * static_cast<double>(shape.height * shape.width);
  // Uniform in the logarithm of the aspect ratio, so that wide and high rectangles are equally likely.
  const double proportion = std::exp(UniformIn(random, -std::log(3.3), std::log(3.3)));
  const auto extent = [](double length, int64_t limit) {
    return std::clamp<int64_t>(static_cast<int64_t>(std::lround(length)), 1, limit);
  };
  const int64_t height = extent(std::sqrt(area * proportion), shape.height);
  const int64_t width = extent(std::sqrt(area / proportion), shape.width);
  const int64_t top = UniformInt(random, 0, shape.height - height), left = UniformInt(random, 0, shape.width - width);
  return {top, left, top + height, left + width};
}

}  // namespace

absl::StatusOr<Augmentation> ParseAugmentation(absl::string_view text) {
  Augmentation augmentation;
  if (text.empty() || text == "none") return augmentation;
  std::vector<absl::string_view> seen;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
    const auto word =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& w) { return parts.first == w.name; });
    if (word == std::end(kWords)) {
      const std::string known =
          absl::StrJoin(kWords, ", ", [](std::string* out, const Word& w) { absl::StrAppend(out, w.name); });
      return absl::InvalidArgumentError(absl::StrCat("augmentation '", item, "' is none of ", known));
    }
    if (std::find(seen.begin(), seen.end(), parts.first) != seen.end()) {
      return absl::InvalidArgumentError(absl::StrCat("augmentation '", parts.first, "' is there twice"));
    }
    seen.push_back(parts.first);
    if (absl::Status status = Parse(*word, parts.second, augmentation); !status.ok()) return status;
  }
  return augmentation;
}

std::string ToText(const Augmentation& augmentation) {
  std::vector<std::string> items;
  for (const Word& word : kWords) {
    if (word.on != nullptr && augmentation.*word.on) items.push_back(word.name);
    if (word.whole != nullptr && augmentation.*word.whole != 0) {
      items.push_back(absl::StrCat(word.name, "=", augmentation.*word.whole));
    }
    if (word.real != nullptr && augmentation.*word.real != 0) {
      items.push_back(absl::StrCat(word.name, "=", augmentation.*word.real));
    }
    if (word.drawn != nullptr && (augmentation.*word.drawn).operations != 0) {
      const RandAugment& drawn = augmentation.*word.drawn;
      items.push_back(absl::StrCat(word.name, "=", drawn.operations, ":", drawn.magnitude));
    }
  }
  return items.empty() ? "none" : absl::StrJoin(items, ",");
}

absl::Status CheckAugmentation(const Augmentation& augmentation, const ExampleShape& shape) {
  const int64_t side = std::min(shape.height, shape.width);
  if (augmentation.shift >= side || augmentation.cutout > side) {
    return absl::InvalidArgumentError(absl::StrCat("augmentation '", ToText(augmentation),
                                                   "': shift must be below and cutout at most ", side,
                                                   " in pictures of ", ToText(shape)));
  }
  return absl::OkStatus();
}

void Augment(const Augmentation& augmentation, const ExampleShape& shape, uint64_t seed, std::span<uint8_t> row) {
  std::mt19937_64 random(seed);
  const int64_t size = shape.elements() / shape.frames;
  // Draws that other words do not need come first or not at all: the sequence of an earlier version stays the same.
  if (augmentation.crop != 0) EnlargeCrop(DrawCrop(augmentation.crop, shape, random), shape, row);
  const Placement placement = DrawPlacement(augmentation, random);
  if (augmentation.shift != 0 || augmentation.mirror || augmentation.rotate != 0 || augmentation.scale != 0) {
    const bool turned = augmentation.rotate != 0 || augmentation.scale != 0;
    std::vector<uint8_t> moved(row.size());
    for (int64_t f = 0; f < shape.frames; ++f) {
      (turned ? CopyTurned : CopyMoved)(shape, placement, row.data() + f * size, moved.data() + f * size);
    }
    std::copy(moved.begin(), moved.end(), row.begin());
  }
  ApplyRandAugment(augmentation.randaugment, shape, random, row);
  if (augmentation.cutout != 0) {
    const PixelBox box = DrawCutout(augmentation.cutout, shape, random);
    for (int64_t f = 0; f < shape.frames; ++f) {
      ForEachLine(box, shape, row.data() + f * size, [](uint8_t* line, int64_t n) { std::fill_n(line, n, 0); });
    }
  }
  if (augmentation.erase != 0 && UniformUnit(random) < augmentation.erase) {
    const PixelBox box = DrawErased(shape, random);
    const uint64_t noise_seed = random();
    for (int64_t f = 0; f < shape.frames; ++f) {
      std::mt19937_64 noise(noise_seed);  // the same in every frame
      ForEachLine(box, shape, row.data() + f * size, [&](uint8_t* line, int64_t n) {
        std::generate_n(line, n, [&] { return static_cast<uint8_t>(noise() >> 56); });
      });
    }
  }
}

}  // namespace anybit::model
