// PNG by libpng. Its simplified interface would apply the file's gamma, take 16 bits for linear light, and lay
// transparency over a background; this takes the stored values.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/image_decoders.h"
#include "base/orientation.h"

namespace anybit {
namespace {

constexpr uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

uint32_t BigEndian(std::span<const uint8_t> bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

// libpng reports an error by not returning. Each step below is a function of its own that holds no object when it
// jumps.
class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &Fail, &Ignore);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  bool ready() const { return info_ != nullptr; }
  const char* message() const { return message_; }

  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t channels() const { return png_get_channels(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }

  // Afterwards the four above tell of 8-bit grey or RGB.
  bool ReadHeader() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, &Read);
    // CheckImageSize has spoken already.
    png_set_user_limits(png_, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::max());
    png_read_info(png_, info_);
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  // To [height][row_bytes], and on to the end of the file.
  bool ReadPixels(uint8_t* pixels) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    for (int pass = 0; pass < passes_; ++pass) {
      // Each pass of an interlaced image writes pixels of its own and leaves the others.
      for (int64_t y = 0; y < height(); ++y) png_read_row(png_, pixels + y * row_bytes(), nullptr);
    }
    png_read_end(png_, info_);
    return true;
  }

  std::span<const uint8_t> exif() const {
    png_bytep bytes = nullptr;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(png_, info_, &size, &bytes) == 0) return {};
    return {bytes, size};
  }

 private:
  [[noreturn]] static void Fail(png_structp png, png_const_charp message) {
    auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_, message, sizeof reader->message_ - 1);
    png_longjmp(png, 1);
  }

  // Warnings are about chunks beside the pixels.
  static void Ignore(png_structp, png_const_charp) {}

  static void Read(png_structp png, png_bytep out, size_t size) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > reader->rest_.size()) png_error(png, "the file ends too early");
    std::copy_n(reader->rest_.begin(), size, out);
    reader->rest_ = reader->rest_.subspan(size);
  }

  std::span<const uint8_t> rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  char message_[256] = {};
};

}  // namespace

bool IsPng(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof kSignature && std::equal(kSignature, std::end(kSignature), bytes.begin());
}

absl::StatusOr<Image> DecodePng(std::span<const uint8_t> bytes) {
  // Signature, then the first chunk: length, "IHDR", width, height. libpng would not name a size that it refuses.
  if (bytes.size() >= 24 && std::memcmp(bytes.data() + 12, "IHDR", 4) == 0) {
    if (absl::Status status = CheckImageSize(BigEndian(bytes.subspan(20)), BigEndian(bytes.subspan(16)));
        !status.ok()) {
      return status;
    }
  }
  PngReader reader(bytes);
  if (!reader.ready()) return absl::ResourceExhaustedError("PNG: no memory for a decoder");
  const auto failure = [&] { return absl::DataLossError(absl::StrCat("PNG: ", reader.message())); };
  if (!reader.ReadHeader()) return failure();
  Image image{.height = reader.height(), .width = reader.width(), .channels = reader.channels()};
  if (absl::Status status = CheckImageSize(image.height, image.width); !status.ok()) return status;
  if ((image.channels != 1 && image.channels != 3) ||
      reader.row_bytes() != static_cast<size_t>(image.width * image.channels)) {
    return absl::InternalError(absl::StrCat("PNG: ", image.channels, " channels and ", reader.row_bytes(),
                                            " bytes for a row of ", image.width, " pixels"));
  }
  image.pixels.resize(image.height * image.width * image.channels);
  if (!reader.ReadPixels(image.pixels.data())) return failure();
  return Upright(std::move(image), ExifOrientation(reader.exif()));
}

}  // namespace anybit
