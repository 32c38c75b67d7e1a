#include "model/data/image_file.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

// After <cstdio>, which it needs and does not include.
#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/data/file_bytes.h"

namespace anybit {
namespace {

constexpr size_t kMaxFile = size_t{1} << 28;
constexpr uint8_t kPngSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr uint8_t kJpegSignature[] = {0xff, 0xd8, 0xff};

template <size_t n>
bool StartsWith(std::span<const uint8_t> bytes, const uint8_t (&signature)[n]) {
  return bytes.size() >= n && std::equal(signature, signature + n, bytes.begin());
}

absl::Status CheckSize(int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > kMaxImagePixels / width) {
    return absl::DataLossError(absl::StrCat("image of ", height, "x", width, " pixels, limit ", kMaxImagePixels));
  }
  return absl::OkStatus();
}

// Whether the chunks, each u32 length, type, that many bytes and a checksum, lead to the last one. The decoder stops
// after the last pixel and would not notice.
bool ReachesEnd(std::span<const uint8_t> png) {
  size_t at = sizeof kPngSignature;
  while (png.size() - at >= 12) {
    const uint64_t length = uint64_t{png[at]} << 24 | png[at + 1] << 16 | png[at + 2] << 8 | png[at + 3];
    if (length > png.size() - at - 12) return false;
    if (std::memcmp(png.data() + at + 4, "IEND", 4) == 0) return true;
    at += 12 + length;
  }
  return false;
}

absl::StatusOr<Image> DecodePng(std::span<const uint8_t> bytes) {
  if (!ReachesEnd(bytes)) return absl::DataLossError("PNG without its end");
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return absl::DataLossError(absl::StrCat("PNG: ", png.message));
  }
  Image image{.height = png.height, .width = png.width};
  if (absl::Status status = CheckSize(image.height, image.width); !status.ok()) {
    png_image_free(&png);
    return status;
  }
  const bool colour = (png.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.channels = colour ? 3 : 1;
  png.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  image.pixels.resize(image.height * image.width * image.channels);
  const png_color black = {0, 0, 0};
  if (!png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr)) {
    return absl::DataLossError(absl::StrCat("PNG: ", png.message));
  }
  return image;
}

// libjpeg reports an error by not returning. Each step below is a function of its own that holds no object when it
// jumps.
class JpegDecoder {
 public:
  JpegDecoder() {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = &Fail;
    errors_.base.emit_message = &Warn;
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;

  const jpeg_decompress_struct& info() const { return info_; }
  const char* message() const { return errors_.message; }

  bool ReadHeader(std::span<const uint8_t> bytes) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, bytes.data(), bytes.size());
    jpeg_read_header(&info_, TRUE);
    switch (info_.jpeg_color_space) {
      case JCS_GRAYSCALE: info_.out_color_space = JCS_GRAYSCALE; break;
      case JCS_CMYK:
      case JCS_YCCK: info_.out_color_space = JCS_CMYK; break;
      default: info_.out_color_space = JCS_RGB;
    }
    jpeg_calc_output_dimensions(&info_);
    return true;
  }

  // `pixels` is [output_height][output_width][output_components].
  bool ReadPixels(uint8_t* pixels) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + size_t{info_.output_scanline} * info_.output_width * info_.output_components;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

 private:
  struct Errors {
    jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
  };

  [[noreturn]] static void Fail(j_common_ptr info) {
    auto* errors = reinterpret_cast<Errors*>(info->err);
    errors->base.format_message(info, errors->message);
    longjmp(errors->jump, 1);
  }

  // A warning is about damaged pixels, but for these, after which the image is whole.
  static void Warn(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR) return;
    Fail(info);
  }

  Errors errors_ = {};
  jpeg_decompress_struct info_ = {};
};

// Adobe's programs, which make nearly all CMYK files, write them inverted and say so.
Image RgbOfCmyk(const Image& cmyk, bool inverted) {
  Image rgb{.height = cmyk.height, .width = cmyk.width, .channels = 3};
  rgb.pixels.resize(cmyk.height * cmyk.width * 3);
  const auto light = [inverted](uint8_t ink) { return inverted ? ink : 255 - ink; };
  for (int64_t i = 0; i < cmyk.height * cmyk.width; ++i) {
    const uint8_t* inks = cmyk.pixels.data() + 4 * i;
    for (int c = 0; c < 3; ++c) {
      rgb.pixels[3 * i + c] = static_cast<uint8_t>((light(inks[c]) * light(inks[3]) + 127) / 255);
    }
  }
  return rgb;
}

absl::StatusOr<Image> DecodeJpeg(std::span<const uint8_t> bytes) {
  JpegDecoder decoder;
  const auto failure = [&] { return absl::DataLossError(absl::StrCat("JPEG: ", decoder.message())); };
  if (!decoder.ReadHeader(bytes)) return failure();
  Image image{.height = decoder.info().output_height,
              .width = decoder.info().output_width,
              .channels = decoder.info().output_components};
  if (absl::Status status = CheckSize(image.height, image.width); !status.ok()) return status;
  image.pixels.resize(image.height * image.width * image.channels);
  if (!decoder.ReadPixels(image.pixels.data())) return failure();
  return image.channels == 4 ? RgbOfCmyk(image, decoder.info().saw_Adobe_marker) : image;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(std::span<const uint8_t> bytes) {
  if (StartsWith(bytes, kPngSignature)) return DecodePng(bytes);
  if (StartsWith(bytes, kJpegSignature)) return DecodeJpeg(bytes);
  return absl::DataLossError("neither PNG nor JPEG");
}

absl::StatusOr<Image> ReadImageFile(const std::string& path) {
  absl::StatusOr<std::vector<uint8_t>> bytes = ReadFileBytes(path, kMaxFile);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Image> image = DecodeImage(*bytes);
  if (!image.ok()) return absl::Status(image.status().code(), absl::StrCat("'", path, "': ", image.status().message()));
  return image;
}

}  // namespace anybit
