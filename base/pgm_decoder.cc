// PGM of netpbm: "P5" (binary) or "P2" (text), width, height, highest value, then the rows from the top. Numbers are
// decimal with white space between them; "#" begins a comment that ends with its line. The raster of P5 begins one
// white-space byte after the highest value and has one byte a pixel, two (big-endian) where the highest value is above
// 255.
#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/image_decoders.h"

namespace anybit {
namespace {

class PgmReader {
 public:
  explicit PgmReader(std::string_view bytes) : rest_(bytes) {}

  absl::StatusOr<int> Number(absl::string_view what, int limit) {
    SkipSpace();
    if (rest_.empty()) return absl::DataLossError(absl::StrCat("PGM ends before its ", what));
    if (!IsDigit(rest_[0])) return absl::DataLossError(absl::StrCat("PGM: ", what, " is not a number"));
    int value = 0;
    while (!rest_.empty() && IsDigit(rest_[0])) {
      value = 10 * value + (rest_[0] - '0');
      if (value > limit) return absl::DataLossError(absl::StrCat("PGM: ", what, " exceeds ", limit));
      rest_.remove_prefix(1);
    }
    return value;
  }

  absl::StatusOr<std::string_view> Raster(size_t size) const {
    if (rest_.size() < size + 1) {
      return absl::DataLossError(
          absl::StrCat("PGM promises ", size, " bytes of data and holds ", rest_.empty() ? 0 : rest_.size() - 1));
    }
    return rest_.substr(1, size);
  }

  size_t left() const { return rest_.size(); }

 private:
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  void SkipSpace() {
    while (!rest_.empty()) {
      if (rest_[0] == '#') {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (std::string_view(" \t\r\n\f\v").find(rest_[0]) != std::string_view::npos) {
        rest_.remove_prefix(1);
      } else {
        return;
      }
    }
  }

  std::string_view rest_;
};

struct Header {
  int64_t height = 0;
  int64_t width = 0;
  int white = 0;  // the highest value

  uint8_t Scaled(int value) const { return static_cast<uint8_t>((int64_t{value} * 255 + white / 2) / white); }
};

absl::StatusOr<Header> ReadHeader(PgmReader& reader) {
  constexpr int kMaxSide = 1 << 26, kMaxWhite = 65535;
  absl::StatusOr<int> width = reader.Number("width", kMaxSide);
  if (!width.ok()) return width.status();
  absl::StatusOr<int> height = reader.Number("height", kMaxSide);
  if (!height.ok()) return height.status();
  absl::StatusOr<int> white = reader.Number("highest value", kMaxWhite);
  if (!white.ok()) return white.status();
  if (absl::Status status = CheckImageSize(*height, *width); !status.ok()) return status;
  if (*white < 1) return absl::DataLossError(absl::StrCat("PGM: highest value ", *white, " is not within 1..65535"));
  return Header{.height = *height, .width = *width, .white = *white};
}

absl::Status ReadBinary(const PgmReader& reader, const Header& header, Image& image) {
  const size_t value_bytes = header.white > 255 ? 2 : 1;
  const size_t count = header.height * header.width;
  const absl::StatusOr<std::string_view> raster = reader.Raster(count * value_bytes);
  if (!raster.ok()) return raster.status();
  image.pixels.reserve(count);
  for (size_t i = 0; i < raster->size(); i += value_bytes) {
    int value = static_cast<uint8_t>((*raster)[i]);
    if (value_bytes == 2) value = value << 8 | static_cast<uint8_t>((*raster)[i + 1]);
    if (value > header.white) return absl::DataLossError(absl::StrCat("PGM: value ", value, " exceeds ", header.white));
    image.pixels.push_back(header.Scaled(value));
  }
  return absl::OkStatus();
}

absl::Status ReadText(PgmReader& reader, const Header& header, Image& image) {
  // A value takes two bytes, with the space before it.
  const size_t count = header.height * header.width;
  if (reader.left() < 2 * count) return absl::DataLossError(absl::StrCat("PGM ends before its ", count, " values"));
  image.pixels.reserve(count);
  while (image.pixels.size() < count) {
    const absl::StatusOr<int> value = reader.Number("value", header.white);
    if (!value.ok()) return value.status();
    image.pixels.push_back(header.Scaled(*value));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsPgm(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '2');
}

absl::StatusOr<Image> DecodePgm(std::span<const uint8_t> bytes) {
  if (!IsPgm(bytes)) return absl::DataLossError("not a PGM image");
  PgmReader reader(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).substr(2));
  const absl::StatusOr<Header> header = ReadHeader(reader);
  if (!header.ok()) return header.status();
  Image image{.height = header->height, .width = header->width, .channels = 1};
  const bool binary = bytes[1] == '5';
  const absl::Status status = binary ? ReadBinary(reader, *header, image) : ReadText(reader, *header, image);
  if (!status.ok()) return status;
  return image;
}

}  // namespace anybit
