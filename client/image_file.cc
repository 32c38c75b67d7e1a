#include "client/image_file.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace anybit {
namespace {

constexpr std::string_view kGzipMagic("\x1f\x8b", 2);
constexpr std::string_view kPngMagic("\x89PNG\r\n\x1a\n", 8);
constexpr std::string_view kIdxU8Magic("\x00\x00\x08", 3);

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  std::string bytes;
  char block[1 << 16];
  while (file.read(block, sizeof(block)) || file.gcount() > 0) {
    bytes.append(block, file.gcount());
    if (bytes.size() > kMaxImageFileBytes) {
      return absl::InvalidArgumentError(absl::StrCat("file exceeds ", kMaxImageFileBytes, " bytes"));
    }
  }
  if (file.bad()) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return bytes;
}

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

// inflateEnd on every way out.
class GzipStream {
 public:
  GzipStream() { ready_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }
  ~GzipStream() {
    if (ready_) inflateEnd(&stream_);
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  bool ready() const { return ready_; }
  z_stream& operator*() { return stream_; }

 private:
  z_stream stream_ = {};
  bool ready_;
};

absl::StatusOr<std::string> Gunzip(std::string_view bytes) {
  GzipStream gzip;
  if (!gzip.ready()) return absl::ResourceExhaustedError("no memory to decompress");
  z_stream& stream = *gzip;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string plain;
  char block[1 << 16];
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(block);
    stream.avail_out = sizeof(block);
    const int code = inflate(&stream, Z_NO_FLUSH);
    plain.append(block, sizeof(block) - stream.avail_out);
    if (plain.size() > kMaxImageFileBytes) {
      return absl::InvalidArgumentError(absl::StrCat("gzip content exceeds ", kMaxImageFileBytes, " bytes"));
    }
    if (code == Z_STREAM_END) return plain;
    if (code == Z_BUF_ERROR) {
      return absl::InvalidArgumentError(absl::StrCat("gzip content ends early, after ", plain.size(), " bytes"));
    }
    if (code != Z_OK) {
      return absl::InvalidArgumentError(
          absl::StrCat("gzip content is damaged: ", stream.msg != nullptr ? stream.msg : "unknown reason"));
    }
  }
}

// The header and body of an IDX file of unsigned bytes: two zeros, the type (8 is u8), the number of dimensions, each
// dimension as a big-endian 32-bit number, then the values in row-major order.
struct Idx {
  std::vector<uint32_t> dims;
  std::string_view body;
};

absl::StatusOr<Idx> ParseIdx(std::string_view bytes, size_t rank) {
  if (bytes.size() < 4 || bytes.substr(0, 2) != kIdxU8Magic.substr(0, 2)) {
    return absl::InvalidArgumentError("not an IDX file: its first two bytes are not zero");
  }
  if (bytes[2] != kIdxU8Magic[2]) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX element type ", static_cast<uint8_t>(bytes[2]), " is not 8 (unsigned byte)"));
  }
  if (static_cast<uint8_t>(bytes[3]) != rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX file has ", static_cast<uint8_t>(bytes[3]), " dimensions, expected ", rank));
  }
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    return absl::InvalidArgumentError(absl::StrCat("IDX header ends after ", bytes.size(), " of ", header, " bytes"));
  }
  Idx idx;
  idx.body = bytes.substr(header);
  uint64_t elements = 1;
  for (size_t d = 0; d < rank; ++d) {
    uint32_t dim = 0;
    for (size_t i = 0; i < 4; ++i) dim = dim << 8 | static_cast<uint8_t>(bytes[4 + 4 * d + i]);
    // Both factors are below 2^32 here, so the product cannot overflow before it is checked.
    elements *= dim;
    if (dim == 0 || elements > kMaxImageFileBytes) {
      return absl::InvalidArgumentError(absl::StrCat("IDX dimension ", d, " is ", dim, ": the file would hold ",
                                                     elements, " elements, allowed are 1 to ", kMaxImageFileBytes));
    }
    idx.dims.push_back(dim);
  }
  if (idx.body.size() != elements) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX file promises ", elements, " bytes of data and holds ", idx.body.size()));
  }
  return idx;
}

absl::StatusOr<GrayImages> ParseIdxImages(std::string_view bytes) {
  absl::StatusOr<Idx> idx = ParseIdx(bytes, 3);
  if (!idx.ok()) return idx.status();
  return GrayImages{.count = static_cast<int>(idx->dims[0]),
                  .height = static_cast<int>(idx->dims[1]),
                  .width = static_cast<int>(idx->dims[2]),
                  .pixels = std::vector<uint8_t>(idx->body.begin(), idx->body.end())};
}

absl::Status CheckImageSize(uint64_t height, uint64_t width) {
  constexpr uint64_t kMaxSide = 1 << 14;
  if (height < 1 || width < 1 || height > kMaxSide || width > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("image of ", width, "x", height, " pixels; a side has 1 to ", kMaxSide));
  }
  return absl::OkStatus();
}

absl::StatusOr<GrayImages> ParsePng(std::string_view bytes) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return absl::InvalidArgumentError(absl::StrCat("PNG: ", png.message));
  }
  if (absl::Status status = CheckImageSize(png.height, png.width); !status.ok()) {
    png_image_free(&png);
    return status;
  }
  png.format = PNG_FORMAT_GRAY;
  GrayImages image{.count = 1, .height = static_cast<int>(png.height), .width = static_cast<int>(png.width)};
  // Transparent pixels are laid over what the buffer holds: black.
  image.pixels.resize(image.image_bytes());
  if (!png_image_finish_read(&png, nullptr, image.pixels.data(), image.width, nullptr)) {
    absl::Status status = absl::InvalidArgumentError(absl::StrCat("PNG: ", png.message));
    png_image_free(&png);
    return status;
  }
  return image;
}

// The numbers of a PGM file, past white space and comments ("#" to the end of the line).
class PgmReader {
 public:
  explicit PgmReader(std::string_view bytes) : rest_(bytes) {}

  absl::StatusOr<int> Number(absl::string_view what, int limit) {
    SkipSpace();
    if (rest_.empty()) return absl::InvalidArgumentError(absl::StrCat("PGM ends before its ", what));
    if (!IsDigit(rest_[0])) return absl::InvalidArgumentError(absl::StrCat("PGM: ", what, " is not a number"));
    int value = 0;
    while (!rest_.empty() && IsDigit(rest_[0])) {
      value = 10 * value + (rest_[0] - '0');
      if (value > limit) return absl::InvalidArgumentError(absl::StrCat("PGM: ", what, " exceeds ", limit));
      rest_.remove_prefix(1);
    }
    return value;
  }

  // The raster of P5 begins one white-space byte after the last number.
  absl::StatusOr<std::string_view> Raster(size_t size) {
    if (rest_.size() < size + 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("PGM promises ", size, " bytes of data and holds ", rest_.empty() ? 0 : rest_.size() - 1));
    }
    return rest_.substr(1, size);
  }

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

absl::StatusOr<GrayImages> ParsePgm(std::string_view bytes) {
  const bool binary = bytes[1] == '5';
  PgmReader reader(bytes.substr(2));
  absl::StatusOr<int> width = reader.Number("width", 1 << 20);
  if (!width.ok()) return width.status();
  absl::StatusOr<int> height = reader.Number("height", 1 << 20);
  if (!height.ok()) return height.status();
  absl::StatusOr<int> white = reader.Number("highest value", 65535);
  if (!white.ok()) return white.status();
  if (absl::Status status = CheckImageSize(*height, *width); !status.ok()) return status;
  if (*white < 1 || *white > 255) {
    return absl::InvalidArgumentError(absl::StrCat("PGM: highest value ", *white, " is not within 1..255"));
  }
  GrayImages image{.count = 1, .height = *height, .width = *width};
  // Only now, with a file that is long enough, is memory taken: P2 needs two bytes for each pixel but the last.
  if (!binary && bytes.size() < 2 * image.image_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("PGM ends before its ", image.image_bytes(), " values"));
  }
  const auto scaled = [&](int value) { return static_cast<uint8_t>((value * 255 + *white / 2) / *white); };
  image.pixels.reserve(image.image_bytes());
  if (binary) {
    absl::StatusOr<std::string_view> raster = reader.Raster(image.image_bytes());
    if (!raster.ok()) return raster.status();
    for (const char c : *raster) image.pixels.push_back(scaled(std::min<int>(static_cast<uint8_t>(c), *white)));
  } else {
    while (image.pixels.size() < image.image_bytes()) {
      absl::StatusOr<int> value = reader.Number("value", *white);
      if (!value.ok()) return value.status();
      image.pixels.push_back(scaled(*value));
    }
  }
  return image;
}

}  // namespace

absl::StatusOr<GrayImages> ParseImages(std::string_view bytes) {
  if (bytes.starts_with(kGzipMagic)) {
    absl::StatusOr<std::string> plain = Gunzip(bytes);
    if (!plain.ok()) return plain.status();
    return ParseIdxImages(*plain);
  }
  if (bytes.starts_with(kPngMagic)) return ParsePng(bytes);
  if (bytes.starts_with("P5") || bytes.starts_with("P2")) return ParsePgm(bytes);
  if (bytes.starts_with(kIdxU8Magic.substr(0, 2))) return ParseIdxImages(bytes);
  return absl::InvalidArgumentError("not an image file that is known here: IDX (plain or gzip), PNG, PGM (P5 or P2)");
}

absl::StatusOr<std::vector<uint8_t>> ParseLabels(std::string_view bytes) {
  std::string plain;
  if (bytes.starts_with(kGzipMagic)) {
    absl::StatusOr<std::string> content = Gunzip(bytes);
    if (!content.ok()) return content.status();
    plain = *std::move(content);
    bytes = plain;
  }
  absl::StatusOr<Idx> idx = ParseIdx(bytes, 1);
  if (!idx.ok()) return idx.status();
  return std::vector<uint8_t>(idx->body.begin(), idx->body.end());
}

absl::StatusOr<GrayImages> ReadImageFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<GrayImages> images = ParseImages(*bytes);
  if (!images.ok()) return WithPath(path, images.status());
  return images;
}

absl::StatusOr<std::vector<uint8_t>> ReadLabelFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<std::vector<uint8_t>> labels = ParseLabels(*bytes);
  if (!labels.ok()) return WithPath(path, labels.status());
  return labels;
}

absl::StatusOr<GrayImages> FitImages(const GrayImages& images, int height, int width) {
  if (images.height > height || images.width > width) {
    return absl::InvalidArgumentError(absl::StrCat("image of ", images.width, "x", images.height,
                                                   " pixels is larger than the model's input of ", width, "x", height));
  }
  GrayImages fitted{.count = images.count, .height = height, .width = width};
  if (images.count > 0 && fitted.image_bytes() > kMaxFittedBytes / static_cast<size_t>(images.count)) {
    return absl::InvalidArgumentError(absl::StrCat(images.count, " images exceed ", kMaxFittedBytes,
                                                   " bytes when each gets the size of the model's input, ", width, "x",
                                                   height));
  }
  fitted.pixels.resize(images.count * fitted.image_bytes());
  const size_t top = (height - images.height) / 2;
  const size_t left = (width - images.width) / 2;
  for (int i = 0; i < images.count; ++i) {
    for (int y = 0; y < images.height; ++y) {
      const std::span<const uint8_t> row = images.image(i).subspan(static_cast<size_t>(y) * images.width, images.width);
      std::copy(row.begin(), row.end(), fitted.pixels.begin() + i * fitted.image_bytes() + (top + y) * width + left);
    }
  }
  return fitted;
}

}  // namespace anybit
