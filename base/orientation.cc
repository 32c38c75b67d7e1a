#include "base/orientation.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace anybit {
namespace {

// Numbers of a TIFF file, none of them trusted.
class TiffReader {
 public:
  explicit TiffReader(std::span<const uint8_t> bytes) : bytes_(bytes) {
    little_endian_ = bytes.size() >= 2 && bytes[0] == 'I' && bytes[1] == 'I';
  }

  bool HasSignature() const {
    const bool big_endian = bytes_.size() >= 2 && bytes_[0] == 'M' && bytes_[1] == 'M';
    return (little_endian_ || big_endian) && Number(2, 2) == 42;
  }

  // Of `size` bytes, 2 or 4.
  std::optional<uint32_t> Number(uint64_t at, int size) const {
    if (at + size > bytes_.size()) return std::nullopt;
    uint32_t number = 0;
    for (int i = 0; i < size; ++i) number = number << 8 | bytes_[at + (little_endian_ ? size - 1 - i : i)];
    return number;
  }

 private:
  std::span<const uint8_t> bytes_;
  bool little_endian_;
};

}  // namespace

int ExifOrientation(std::span<const uint8_t> exif) {
  constexpr uint32_t kOrientation = 274, kShort = 3, kLong = 4;
  constexpr uint64_t kEntryBytes = 12;
  const TiffReader tiff(exif);
  if (!tiff.HasSignature()) return 1;
  const std::optional<uint32_t> directory = tiff.Number(4, 4);
  if (!directory) return 1;
  const uint32_t entries = tiff.Number(*directory, 2).value_or(0);
  for (uint32_t i = 0; i < entries; ++i) {
    // Tag, type, count, value.
    const uint64_t entry = *directory + 2 + i * kEntryBytes;
    if (tiff.Number(entry, 2) != kOrientation) continue;
    const uint32_t type = tiff.Number(entry + 2, 2).value_or(0);
    if (type != kShort && type != kLong) return 1;
    const uint32_t value = tiff.Number(entry + 8, type == kShort ? 2 : 4).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image Upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool exchanged = orientation >= 5;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Image upright{.height = exchanged ? image.width : image.height,
                .width = exchanged ? image.height : image.width,
                .channels = image.channels};
  upright.pixels.resize(image.pixels.size());
  uint8_t* out = upright.pixels.data();
  for (int64_t y = 0; y < upright.height; ++y) {
    const int64_t down = from_bottom ? upright.height - 1 - y : y;
    for (int64_t x = 0; x < upright.width; ++x) {
      const int64_t across = from_right ? upright.width - 1 - x : x;
      const int64_t stored = exchanged ? across * image.width + down : down * image.width + across;
      out = std::copy_n(image.pixels.data() + stored * image.channels, image.channels, out);
    }
  }
  return upright;
}

}  // namespace anybit
