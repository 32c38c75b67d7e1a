#include "model/data/image_file.h"

#include <png.h>

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit {
namespace {

std::span<const uint8_t> Span(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

TEST(DecodeImage, GivesBackThePixelsOfGreyAndColourPng) {
  for (int64_t channels : {1, 3}) {
    const Image image = Gradient(5, 7, channels);
    const absl::StatusOr<Image> decoded = DecodeImage(Span(PngBytes(image)));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->height, 5);
    EXPECT_EQ(decoded->width, 7);
    EXPECT_EQ(decoded->channels, channels);
    EXPECT_EQ(decoded->pixels, image.pixels);
  }
}

TEST(DecodeImage, LaysTransparencyOverBlack) {
  const std::vector<uint8_t> rgba = {200, 100, 50, 255, 200, 100, 50, 0};
  EXPECT_EQ(DecodeImage(Span(PngBytes(1, 2, PNG_FORMAT_RGBA, rgba)))->pixels,
            (std::vector<uint8_t>{200, 100, 50, 0, 0, 0}));
  const Image grey = *DecodeImage(Span(PngBytes(1, 2, PNG_FORMAT_GA, {90, 255, 90, 0})));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.pixels, (std::vector<uint8_t>{90, 0}));
}

TEST(DecodeImage, ComesNearThePixelsOfGreyAndColourJpegOneScanOrSeveral) {
  for (bool progressive : {false, true}) {
    for (int64_t channels : {1, 3}) {
      const Image image = Gradient(20, 24, channels);
      const absl::StatusOr<Image> decoded = DecodeImage(Span(JpegBytes(image, 100, progressive)));
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(decoded->channels, channels);
      ASSERT_EQ(decoded->pixels.size(), image.pixels.size());
      for (size_t i = 0; i < image.pixels.size(); ++i) ASSERT_NEAR(decoded->pixels[i], image.pixels[i], 4) << i;
    }
  }
}

TEST(DecodeImage, TurnsAdobesInvertedCmykIntoRgb) {
  // Inverted: 255 is no ink.
  Image cmyk{.height = 8, .width = 8, .channels = 4};
  for (int i = 0; i < 64; ++i) cmyk.pixels.insert(cmyk.pixels.end(), {255, 128, 0, 200});
  const absl::StatusOr<Image> decoded = DecodeImage(Span(JpegBytes(cmyk, 100)));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->channels, 3);
  EXPECT_NEAR(decoded->pixels[0], 200, 3);
  EXPECT_NEAR(decoded->pixels[1], 100, 3);
  EXPECT_NEAR(decoded->pixels[2], 0, 3);
}

TEST(DecodeImage, TakesCmykWithoutAdobesMarkerAsItStands) {
  // 0 is no ink.
  Image cmyk{.height = 8, .width = 8, .channels = 4};
  for (int i = 0; i < 64; ++i) cmyk.pixels.insert(cmyk.pixels.end(), {0, 127, 255, 55});
  std::string bytes = JpegBytes(cmyk, 100);
  const size_t marker = bytes.find("\xff\xee");
  ASSERT_NE(marker, std::string::npos);
  bytes.erase(marker, 2 + 14);
  const absl::StatusOr<Image> decoded = DecodeImage(Span(bytes));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->channels, 3);
  EXPECT_NEAR(decoded->pixels[0], 200, 3);
  EXPECT_NEAR(decoded->pixels[1], 100, 3);
  EXPECT_NEAR(decoded->pixels[2], 0, 3);
}

TEST(DecodeImage, NoticesEveryTruncation) {
  for (const std::string& whole :
       {PngBytes(Gradient(9, 9, 3)), PngBytes(Gradient(4, 4, 1)), JpegBytes(Gradient(9, 9, 3), 80),
        JpegBytes(Gradient(17, 9, 1), 80), JpegBytes(Gradient(17, 17, 3), 80, true)}) {
    ASSERT_TRUE(DecodeImage(Span(whole)).ok());
    for (size_t size = 0; size < whole.size(); ++size) {
      ASSERT_EQ(DecodeImage(Span(whole).first(size)).status().code(), absl::StatusCode::kDataLoss)
          << size << " of " << whole.size();
    }
  }
}

// A sanitizer build makes more of this test.
TEST(DecodeImage, GivesAnImageOrAnErrorWhateverTheBytes) {
  for (const std::string& whole :
       {PngBytes(Gradient(9, 9, 3)), JpegBytes(Gradient(9, 9, 3), 80), JpegBytes(Gradient(17, 17, 1), 80, true)}) {
    for (size_t at = 0; at < whole.size(); ++at) {
      for (uint8_t flip : {0x01, 0x10, 0x80, 0xff}) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ flip);
        const absl::StatusOr<Image> image = DecodeImage(Span(bytes));
        if (!image.ok()) {
          EXPECT_EQ(image.status().code(), absl::StatusCode::kDataLoss) << image.status();
          continue;
        }
        EXPECT_EQ(static_cast<int64_t>(image->pixels.size()), image->height * image->width * image->channels);
      }
    }
  }
}

TEST(DecodeImage, NoticesADamagedPngByItsChecksums) {
  const Image image = Gradient(9, 9, 3);
  const std::string whole = PngBytes(image);
  const size_t pixels = whole.find("IDAT") + 4;
  for (size_t at = pixels; at < pixels + 10; ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    EXPECT_FALSE(DecodeImage(Span(bytes)).ok()) << at;
  }
}

TEST(DecodeImage, RefusesMorePixelsThanItsLimitBeforeItAsksForMemory) {
  std::string jpeg = JpegBytes(Gradient(9, 9, 3), 80);
  // Height and width stand after the start of frame: marker, length (2), precision (1).
  const size_t frame = jpeg.find("\xff\xc0");
  for (int i = 5; i < 9; ++i) jpeg[frame + i] = '\xfe';
  const absl::Status status = DecodeImage(Span(jpeg)).status();
  EXPECT_EQ(status.message(), "image of 65278x65278 pixels, limit 67108864");
}

TEST(DecodeImage, KnowsOtherFilesByTheirFirstBytes) {
  EXPECT_EQ(DecodeImage(Span("GIF89a and so on")).status().message(), "neither PNG nor JPEG");
  EXPECT_EQ(DecodeImage({}).status().message(), "neither PNG nor JPEG");
}

TEST(ReadImageFile, NamesTheFileAndGoesByItsBytesNotItsName) {
  const std::string folder = FreshFolder("image_file_test");
  const std::string path = WriteFile(folder + "/really_png.jpg", PngBytes(Gradient(2, 2, 1)));
  EXPECT_TRUE(ReadImageFile(path).ok());
  WriteFile(path, "nothing");
  EXPECT_EQ(ReadImageFile(path).status().message(), "'" + path + "': neither PNG nor JPEG");
  EXPECT_EQ(ReadImageFile(folder + "/missing.png").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace anybit
