// JPEG by libjpeg-turbo.
#include <csetjmp>
#include <cstdio>
#include <cstring>

// After <cstdio>, which it needs and does not include.
#include <jpeglib.h>

#include <jerror.h>

#include "absl/strings/str_cat.h"
#include "base/image_decoders.h"
#include "base/orientation.h"

namespace anybit {
namespace {

constexpr uint8_t kSignature[] = {0xff, 0xd8, 0xff};

// libjpeg reports an error by not returning. Each step below is a function of its own that holds no object when it
// jumps.
class JpegReader {
 public:
  JpegReader() {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = &Fail;
    errors_.base.emit_message = &Warn;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  const jpeg_decompress_struct& info() const { return info_; }
  const char* message() const { return errors_.message; }

  bool ReadHeader(std::span<const uint8_t> bytes) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, bytes.data(), bytes.size());
    jpeg_save_markers(&info_, kExifMarker, 0xffff);
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

  // Of the first marker that holds some.
  std::span<const uint8_t> exif() const {
    constexpr char kName[] = {'E', 'x', 'i', 'f', 0, 0};
    for (jpeg_saved_marker_ptr marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const std::span<const uint8_t> data(marker->data, marker->data_length);
      if (data.size() >= sizeof kName && std::memcmp(data.data(), kName, sizeof kName) == 0) {
        return data.subspan(sizeof kName);
      }
    }
    return {};
  }

 private:
  static constexpr int kExifMarker = JPEG_APP0 + 1;

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

  // A warning is about damaged pixels, but for these, after which the image is whole. That the scans of a progressive
  // file must be in order bounds their number, too.
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

}  // namespace

bool IsJpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof kSignature && std::memcmp(bytes.data(), kSignature, sizeof kSignature) == 0;
}

absl::StatusOr<Image> DecodeJpeg(std::span<const uint8_t> bytes) {
  JpegReader reader;
  const auto failure = [&] { return absl::DataLossError(absl::StrCat("JPEG: ", reader.message())); };
  if (!reader.ReadHeader(bytes)) return failure();
  Image image{.height = reader.info().output_height,
              .width = reader.info().output_width,
              .channels = reader.info().output_components};
  if (absl::Status status = CheckImageSize(image.height, image.width); !status.ok()) return status;
  const int orientation = ExifOrientation(reader.exif());
  image.pixels.resize(image.height * image.width * image.channels);
  if (!reader.ReadPixels(image.pixels.data())) return failure();
  if (image.channels == 4) image = RgbOfCmyk(image, reader.info().saw_Adobe_marker);
  return Upright(std::move(image), orientation);
}

}  // namespace anybit
