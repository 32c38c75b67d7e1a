#include "model/data/image.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

constexpr int kOne = 1 << 14;  // a weight of 1; a row's sum of kOne times 255 stays in 32 bits

// The source pixels that contribute to one target pixel.
struct Taps {
  int64_t first = 0;
  std::vector<int> weights;  // sum kOne
};

// Of `to` target pixels over `from` source pixels, `step` source pixels apart and centred.
std::vector<Taps> TriangleTaps(int64_t from, int64_t to, double step) {
  const double offset = (static_cast<double>(from) - static_cast<double>(to) * step) / 2;
  const double begin = step == 1 ? std::floor(offset) : offset;  // a crop without scaling stays on whole pixels
  const double reach = std::max(step, 1.0);
  std::vector<Taps> taps(to);
  for (int64_t i = 0; i < to; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * step;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - reach)));
    const int64_t last = std::min<int64_t>(from - 1, static_cast<int64_t>(std::ceil(centre + reach)));
    std::vector<double> shares;
    double sum = 0;
    for (int64_t x = first; x <= last; ++x) {
      shares.push_back(std::max(0.0, 1 - std::abs(static_cast<double>(x) + 0.5 - centre) / reach));
      sum += shares.back();
    }
    taps[i].first = first;
    int left = kOne;
    for (double share : shares) {
      taps[i].weights.push_back(static_cast<int>(std::lround(share / sum * kOne)));
      left -= taps[i].weights.back();
    }
    // The largest weight takes the rounding error, so that a flat image stays flat.
    *std::max_element(taps[i].weights.begin(), taps[i].weights.end()) += left;
  }
  return taps;
}

// One output value from `taps` over values `stride` apart.
uint8_t Apply(const Taps& taps, const uint8_t* values, int64_t stride) {
  int sum = kOne / 2;
  const uint8_t* value = values + taps.first * stride;
  for (int weight : taps.weights) {
    sum += weight * *value;
    value += stride;
  }
  return static_cast<uint8_t>(sum / kOne);
}

}  // namespace

absl::Status CheckShape(const ExampleShape& shape) {
  constexpr int64_t kMaxExtent = 4096, kMaxFrames = 256;
  if (shape.height < 1 || shape.height > kMaxExtent || shape.width < 1 || shape.width > kMaxExtent ||
      shape.frames < 1 || shape.frames > kMaxFrames) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of ", ToText(shape), "; extents are 1..", kMaxExtent, " and frames 1..", kMaxFrames));
  }
  if (shape.channels != 1 && shape.channels != 3) {
    return absl::InvalidArgumentError(absl::StrCat("rows of ", shape.channels, " channels; images have 1 or 3"));
  }
  return absl::OkStatus();
}

void ScaleToCover(const Image& image, int64_t height, int64_t width, std::span<uint8_t> out) {
  const int64_t channels = image.channels;
  const double step = std::min(static_cast<double>(image.height) / static_cast<double>(height),
                               static_cast<double>(image.width) / static_cast<double>(width));
  const std::vector<Taps> across = TriangleTaps(image.width, width, step);
  const std::vector<Taps> down = TriangleTaps(image.height, height, step);
  // Only the lines that are read below: an image may be extremely high and narrow.
  const int64_t first = down.front().first;
  const int64_t lines = down.back().first + static_cast<int64_t>(down.back().weights.size()) - first;
  const int64_t line = width * channels;
  std::vector<uint8_t> narrow(lines * line);
  for (int64_t y = 0; y < lines; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        narrow[y * line + x * channels + c] =
            Apply(across[x], image.pixels.data() + (first + y) * image.width * channels + c, channels);
      }
    }
  }
  for (int64_t y = 0; y < height; ++y) {
    Taps taps = down[y];
    taps.first -= first;
    for (int64_t i = 0; i < line; ++i) out[y * line + i] = Apply(taps, narrow.data() + i, line);
  }
}

absl::StatusOr<MemoryExamples> Centred(MemoryExamples examples, const ExampleShape& shape) {
  constexpr int64_t kMaxBytes = int64_t{16} << 30;  // a mistaken shape must not fill the memory
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  const ExampleShape& own = examples.shape();
  if (own == shape) return examples;
  if (shape.frames != 1) {
    return absl::InvalidArgumentError(absl::StrCat("still images for a network of ", shape.frames, " frames"));
  }
  if (own.height > shape.height || own.width > shape.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("images of ", own.height, "x", own.width, " do not fit ", shape.height, "x", shape.width));
  }
  if (examples.count() > kMaxBytes / shape.elements()) {
    return absl::InvalidArgumentError(
        absl::StrCat(examples.count(), " rows of ", ToText(shape), " take more than ", kMaxBytes, " bytes of memory"));
  }
  std::vector<uint8_t> pixels(examples.count() * shape.elements());
  std::vector<uint16_t> labels;
  const int64_t top = (shape.height - own.height) / 2, left = (shape.width - own.width) / 2;
  for (int64_t i = 0; i < examples.count(); ++i) {
    labels.push_back(static_cast<uint16_t>(examples.label(i)));
    const auto row = examples.rows(i, 1);
    const Image image = WithChannels({own.height, own.width, own.channels, {row.begin(), row.end()}}, shape.channels);
    const int64_t line = own.width * shape.channels;
    for (int64_t y = 0; y < own.height; ++y) {
      std::copy_n(image.pixels.data() + y * line, line,
                  pixels.data() + i * shape.elements() + ((top + y) * shape.width + left) * shape.channels);
    }
  }
  return MemoryExamples(shape, std::move(labels), std::move(pixels), examples.class_names());
}

}  // namespace anybit::model
