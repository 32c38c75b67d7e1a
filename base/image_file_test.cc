#include "base/image_file.h"

#include <png.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/image_bytes.h"

namespace anybit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST(DecodeImage, TakesTheStoredValuesWhateverTheFileSaysOfGamma) {
  const StoredPng ramp{.height = 1, .width = 6, .colour_type = PNG_COLOR_TYPE_GRAY, .rows = {0, 32, 64, 128, 192, 255}};
  const std::string plain = PngBytes(ramp);
  for (uint8_t gamma : {0, 1, 2}) {
    // Gamma times 100000 as a 32-bit number: 1.0 and 1 / 2.2.
    const std::string stored[] = {{0, 1, '\x86', '\xa0'}, {0, 0, '\xb1', '\x8f'}};
    const std::string bytes = gamma == 0 ? plain : WithPngChunk(plain, "gAMA", stored[gamma - 1]);
    const absl::StatusOr<Image> image = DecodeImage(Span(bytes));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->pixels, ramp.rows);
  }
}

TEST(DecodeImage, ScalesSixteenBitsToEightAndRounds) {
  StoredPng ramp{.height = 1, .width = 6, .colour_type = PNG_COLOR_TYPE_GRAY, .bit_depth = 16};
  for (uint8_t value : {0, 32, 64, 128, 192, 255}) ramp.rows.insert(ramp.rows.end(), 2, value);
  for (const std::string& bytes : {PngBytes(ramp), WithPngChunk(PngBytes(ramp), "gAMA", {0, 1, '\x86', '\xa0'})}) {
    const absl::StatusOr<Image> image = DecodeImage(Span(bytes));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_THAT(image->pixels, ElementsAre(0, 32, 64, 128, 192, 255));
  }
  // 128 / 257 is below a half, 129 / 257 above.
  const StoredPng halves{
      .height = 1, .width = 3, .colour_type = PNG_COLOR_TYPE_GRAY, .bit_depth = 16, .rows = {0, 128, 0, 129, 255, 126}};
  EXPECT_THAT(DecodeImage(Span(PngBytes(halves)))->pixels, ElementsAre(0, 1, 254));
}

TEST(DecodeImage, ReadsSixteenBitColourWithAlpha) {
  const StoredPng png{.height = 1,
                      .width = 1,
                      .colour_type = PNG_COLOR_TYPE_RGB_ALPHA,
                      .bit_depth = 16,
                      .rows = {200, 200, 30, 30, 10, 10, 0, 0}};
  EXPECT_THAT(DecodeImage(Span(PngBytes(png)))->pixels, ElementsAre(200, 30, 10));
}

TEST(DecodeImage, StretchesFewerBitsToTheFullRange) {
  StoredPng png{.height = 1, .width = 4, .colour_type = PNG_COLOR_TYPE_GRAY, .bit_depth = 1, .rows = {0b1010'0000}};
  EXPECT_THAT(DecodeImage(Span(PngBytes(png)))->pixels, ElementsAre(255, 0, 255, 0));
  png.bit_depth = 2;
  png.rows = {0b00'01'10'11};
  EXPECT_THAT(DecodeImage(Span(PngBytes(png)))->pixels, ElementsAre(0, 85, 170, 255));
  png.bit_depth = 4;
  png.rows = {0x3f, 0x08};
  EXPECT_THAT(DecodeImage(Span(PngBytes(png)))->pixels, ElementsAre(51, 255, 0, 136));
}

TEST(DecodeImage, LooksUpThePalette) {
  StoredPng png{.height = 1,
                .width = 4,
                .colour_type = PNG_COLOR_TYPE_PALETTE,
                .bit_depth = 2,
                .palette = {10, 20, 30, 40, 50, 60, 70, 80, 90},
                .rows = {0b10'00'01'00}};
  const std::vector<uint8_t> expected = {70, 80, 90, 10, 20, 30, 40, 50, 60, 10, 20, 30};
  const absl::StatusOr<Image> image = DecodeImage(Span(PngBytes(png)));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->channels, 3);
  EXPECT_EQ(image->pixels, expected);
}

TEST(DecodeImage, PutsTheRowsOfAnInterlacedImageInOrder) {
  const Image image = Gradient(13, 11, 3);
  const StoredPng png{
      .height = 13, .width = 11, .colour_type = PNG_COLOR_TYPE_RGB, .interlaced = true, .rows = image.pixels};
  EXPECT_EQ(DecodeImage(Span(PngBytes(png)))->pixels, image.pixels);
}

TEST(DecodeImage, LeavesTransparencyOut) {
  const std::vector<uint8_t> rgba = {200, 100, 50, 255, 200, 100, 50, 128, 200, 100, 50, 0};
  EXPECT_THAT(DecodeImage(Span(PngBytes(1, 3, PNG_FORMAT_RGBA, rgba)))->pixels,
              ElementsAre(200, 100, 50, 200, 100, 50, 200, 100, 50));
  const Image grey = *DecodeImage(Span(PngBytes(1, 2, PNG_FORMAT_GA, {90, 255, 90, 0})));
  EXPECT_EQ(grey.channels, 1);
  EXPECT_THAT(grey.pixels, ElementsAre(90, 90));
  // A value declared transparent, in a file without alpha.
  const StoredPng plain{.height = 1, .width = 2, .colour_type = PNG_COLOR_TYPE_GRAY, .rows = {7, 8}};
  EXPECT_THAT(DecodeImage(Span(WithPngChunk(PngBytes(plain), "tRNS", {0, 7})))->pixels, ElementsAre(7, 8));
}

TEST(DecodeImage, TurnsJpegAndPngAsTheirExifOrientationSays) {
  // Four quarters, each of a value of its own.
  Image stored{.height = 16, .width = 32};
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) stored.pixels.push_back(static_cast<uint8_t>((x < 16 ? 40 : 160) + (y < 8 ? 0 : 60)));
  }
  // The four quarters from the top left, as they are seen.
  const std::vector<int> expected[] = {{40, 160, 100, 220}, {160, 40, 220, 100}, {220, 100, 160, 40},
                                       {100, 220, 40, 160}, {40, 100, 160, 220}, {100, 40, 220, 160},
                                       {220, 160, 100, 40}, {160, 220, 40, 100}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string exif = ExifOfOrientation(orientation, orientation % 2 == 0);
    for (const std::string& bytes :
         {WithJpegExif(JpegBytes(stored, 100), exif), WithPngChunk(PngBytes(stored), "eXIf", exif)}) {
      const absl::StatusOr<Image> image = DecodeImage(Span(bytes));
      ASSERT_TRUE(image.ok()) << image.status();
      ASSERT_EQ(image->height, orientation < 5 ? 16 : 32);
      ASSERT_EQ(image->width, orientation < 5 ? 32 : 16);
      std::vector<int> quarters;
      for (int y : {1, 3}) {
        const int64_t row = image->height * y / 4 * image->width;
        for (int x : {1, 3}) quarters.push_back(image->pixels[row + image->width * x / 4]);
      }
      for (int q = 0; q < 4; ++q) EXPECT_NEAR(quarters[q], expected[orientation - 1][q], 2) << orientation;
    }
  }
}

TEST(DecodeImage, IgnoresExifThatIsDamaged) {
  const Image image = Gradient(8, 16, 1);
  for (const std::string& exif : {std::string(), std::string("MM"), ExifOfOrientation(6).substr(0, 12)}) {
    EXPECT_EQ(DecodeImage(Span(WithJpegExif(JpegBytes(image, 100), exif)))->width, 16);
  }
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
  EXPECT_EQ(status.message(), "image of 65278x65278 pixels; allowed are 1 to 67108864");

  std::string png = PngBytes(Gradient(9, 9, 1));
  for (int i = 16; i < 24; ++i) png[i] = '\x7f';
  EXPECT_EQ(DecodeImage(Span(png)).status().message(),
            "image of 2139062143x2139062143 pixels; allowed are 1 to 67108864");
  EXPECT_EQ(DecodeImage(Span("P5 67108864 67108864 255\n")).status().message(),
            "image of 67108864x67108864 pixels; allowed are 1 to 67108864");
  EXPECT_EQ(DecodeImage(Span("P5 1 99999999999 255\n")).status().message(), "PGM: height exceeds 67108864");
}

TEST(DecodeImage, RefusesImagesWithoutPixels) {
  std::string png = PngBytes(Gradient(9, 5, 1));
  png[23] = 0;  // the last byte of the height
  EXPECT_EQ(DecodeImage(Span(png)).status().message(), "image of 0x5 pixels; allowed are 1 to 67108864");
  EXPECT_EQ(DecodeImage(Span("P5 0 1 255\n")).status().message(), "image of 1x0 pixels; allowed are 1 to 67108864");
  std::string jpeg = JpegBytes(Gradient(9, 9, 1), 80);
  const size_t frame = jpeg.find("\xff\xc0");
  jpeg[frame + 5] = jpeg[frame + 6] = 0;
  EXPECT_EQ(DecodeImage(Span(jpeg)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(DecodeImage, ReadsBinaryAndTextPgmPastComments) {
  EXPECT_THAT(DecodeImage(Span("P5 # a comment\n2\t1\n255\nab"))->pixels, ElementsAre('a', 'b'));
  EXPECT_THAT(DecodeImage(Span("P2\n#one\n#two\n2 2 255 0 9\n 10 255"))->pixels, ElementsAre(0, 9, 10, 255));
}

TEST(DecodeImage, StretchesAPgmOfOtherGrayLevelsToEightBits) {
  EXPECT_THAT(DecodeImage(Span("P2 3 1 15 0 8 15"))->pixels, ElementsAre(0, 136, 255));
  EXPECT_THAT(DecodeImage(Span("P2 3 1 65535 0 32896 65535"))->pixels, ElementsAre(0, 128, 255));
  EXPECT_THAT(DecodeImage(Span(std::string("P5 2 1 65535\n\x20\x20\xff\xff")))->pixels, ElementsAre(32, 255));
}

TEST(DecodeImage, RefusesAPgmThatPromisesMoreThanItHolds) {
  const auto refusal = [](const std::string& bytes) {
    const absl::Status status = DecodeImage(Span(bytes)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("P5 2 2 255\nabc"), HasSubstr("promises 4 bytes of data and holds 3"));
  EXPECT_THAT(refusal("P5 2 2 256\nabcdef"), HasSubstr("promises 8 bytes of data and holds 6"));
  EXPECT_THAT(refusal("P5 1 1 9\nX"), HasSubstr("value 88 exceeds 9"));
  EXPECT_THAT(refusal("P2 2 2 255 1 2 300000 4"), HasSubstr("value exceeds 255"));
  EXPECT_THAT(refusal("P2 2 2 255 1 22 33"), HasSubstr("ends before its value"));
  EXPECT_THAT(refusal("P2 7999 7999 255 1"), HasSubstr("ends before its 63984001 values"));
  EXPECT_THAT(refusal("P5 2 2"), HasSubstr("ends before its highest value"));
  EXPECT_THAT(refusal("P5 -2 2 255\nabcd"), HasSubstr("width is not a number"));
  EXPECT_THAT(refusal("P5 2 2 0\nabcd"), HasSubstr("highest value 0 is not within 1..65535"));
  EXPECT_THAT(refusal("P5 2 2 65536\nabcd"), HasSubstr("highest value exceeds 65535"));
}

TEST(DecodeImage, KnowsOtherFilesByTheirFirstBytes) {
  EXPECT_EQ(DecodeImage(Span("GIF89a and so on")).status().message(), "not a PNG, JPEG or PGM image");
  EXPECT_EQ(DecodeImage({}).status().message(), "not a PNG, JPEG or PGM image");
}

TEST(ReadImageFile, NamesTheFileAndGoesByItsBytesNotItsName) {
  const std::string path = testing::TempDir() + "/really_png.jpg";
  std::ofstream(path, std::ios::binary) << PngBytes(Gradient(2, 2, 1));
  EXPECT_TRUE(ReadImageFile(path).ok());
  std::ofstream(path, std::ios::binary) << "nothing";
  EXPECT_EQ(ReadImageFile(path).status().message(), "'" + path + "': not a PNG, JPEG or PGM image");
  EXPECT_EQ(ReadImageFile(path + ".missing").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace anybit
