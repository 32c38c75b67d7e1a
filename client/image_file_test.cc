#include "client/image_file.h"

#include <png.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string Idx(std::vector<uint32_t> dims, const std::string& body, char type = 8) {
  std::string bytes = {0, 0, type, static_cast<char>(dims.size())};
  for (const uint32_t dim : dims) bytes += BigEndian(dim);
  return bytes + body;
}

std::string Gzip(std::string plain) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string bytes(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_in = plain.size();
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = bytes.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

std::string Png(int width, int height, png_uint_32 format, const std::vector<uint8_t>& pixels) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = width;
  png.height = height;
  png.format = format;
  png_alloc_size_t size = 0;
  EXPECT_TRUE(png_image_write_get_memory_size(png, size, 0, pixels.data(), 0, nullptr));
  std::string bytes(size, '\0');
  EXPECT_TRUE(png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr));
  bytes.resize(size);
  return bytes;
}

std::string RefusalOf(const std::string& bytes) {
  const absl::StatusOr<GrayImages> images = ParseImages(bytes);
  EXPECT_EQ(images.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(images.status().message());
}

TEST(ImageFile, ReadsEveryImageOfAnIdxFile) {
  const absl::StatusOr<GrayImages> images = ParseImages(Idx({2, 1, 3}, "abcdef"));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->count, 2);
  EXPECT_EQ(images->height, 1);
  EXPECT_EQ(images->width, 3);
  EXPECT_THAT(images->image(1), ElementsAre('d', 'e', 'f'));
}

TEST(ImageFile, ReadsAGzippedIdxFileAsThePlainOne) {
  std::string body(200'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * i % 251);
  const std::string plain = Idx({2, 400, 250}, body);
  const absl::StatusOr<GrayImages> images = ParseImages(Gzip(plain));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->pixels, ParseImages(plain)->pixels);
}

TEST(ImageFile, ReadsLabelsPlainAndGzipped) {
  const std::string plain = Idx({3}, {7, 0, 9});
  EXPECT_THAT(ParseLabels(plain).value(), ElementsAre(7, 0, 9));
  EXPECT_THAT(ParseLabels(Gzip(plain)).value(), ElementsAre(7, 0, 9));
}

TEST(ImageFile, ReadsTheTenThousandFashionMnistTestImages) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  const absl::StatusOr<GrayImages> images = ReadImageFile(folder + "t10k-images-idx3-ubyte.gz");
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->count, 10'000);
  EXPECT_EQ(images->height, 28);
  EXPECT_EQ(images->width, 28);
  EXPECT_EQ(ReadLabelFile(folder + "t10k-labels-idx1-ubyte.gz").value().size(), 10'000u);
}

TEST(ImageFile, ReadsAGrayPngToTheLastBit) {
  const std::vector<uint8_t> pixels = {0, 1, 127, 128, 254, 255};
  const absl::StatusOr<GrayImages> image = ParseImages(Png(3, 2, PNG_FORMAT_GRAY, pixels));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, 3);
  EXPECT_EQ(image->height, 2);
  EXPECT_EQ(image->pixels, pixels);
}

TEST(ImageFile, TurnsAColourPngIntoGrayByLuminance) {
  const absl::StatusOr<GrayImages> image =
      ParseImages(Png(3, 1, PNG_FORMAT_RGB, {255, 255, 255, /*green*/ 0, 255, 0, /*blue*/ 0, 0, 255}));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->pixels[0], 255);
  EXPECT_GT(image->pixels[1], image->pixels[2]);
}

TEST(ImageFile, LaysATransparentPngOverBlack) {
  const absl::StatusOr<GrayImages> image =
      ParseImages(Png(2, 1, PNG_FORMAT_RGBA, {255, 255, 255, 0, 255, 255, 255, 255}));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->pixels, ElementsAre(0, 255));
}

TEST(ImageFile, ReadsBinaryAndTextPgmPastComments) {
  EXPECT_THAT(ParseImages("P5 # a comment\n2\t1\n255\nab")->pixels, ElementsAre('a', 'b'));
  EXPECT_THAT(ParseImages("P2\n#one\n#two\n2 2 255 0 9\n 10 255")->pixels, ElementsAre(0, 9, 10, 255));
}

TEST(ImageFile, StretchesAPgmOfFewerGrayLevelsToTheFullRange) {
  EXPECT_THAT(ParseImages("P2 3 1 15 0 8 15")->pixels, ElementsAre(0, 136, 255));
}

TEST(ImageFile, RefusesWhatIsNoImage) {
  EXPECT_THAT(RefusalOf("hello"), HasSubstr("not an image file"));
  EXPECT_THAT(RefusalOf(""), HasSubstr("not an image file"));
}

TEST(ImageFile, RefusesAnIdxFileWhoseLengthIsNotWhatItsHeaderSays) {
  EXPECT_THAT(RefusalOf(Idx({1, 2, 2}, "abc")), HasSubstr("promises 4 bytes of data and holds 3"));
  EXPECT_THAT(RefusalOf(Idx({1, 2, 2}, "abcde")), HasSubstr("promises 4 bytes of data and holds 5"));
  EXPECT_THAT(RefusalOf(Idx({1, 2, 2}, "").substr(0, 9)), HasSubstr("ends after 9 of 16 bytes"));
}

TEST(ImageFile, RefusesIdxDimensionsWhoseProductOverflows) {
  EXPECT_THAT(RefusalOf(Idx({0x80000000, 0x80000000, 4}, "")), HasSubstr("dimension 0 is 2147483648"));
  EXPECT_THAT(RefusalOf(Idx({65536, 65536, 65536}, "")), HasSubstr("dimension 1 is 65536"));
  EXPECT_THAT(RefusalOf(Idx({1, 0, 4}, "")), HasSubstr("dimension 1 is 0"));
}

TEST(ImageFile, RefusesAnIdxFileOfAnotherTypeOrRank) {
  EXPECT_THAT(RefusalOf(Idx({1, 1, 1}, "abcd", /*float32*/ 13)), HasSubstr("element type 13"));
  EXPECT_THAT(RefusalOf(Idx({4}, "abcd")), HasSubstr("1 dimensions, expected 3"));
}

TEST(ImageFile, RefusesDamagedAndShortGzip) {
  std::string bytes = Gzip(Idx({1, 30, 30}, std::string(900, 'x')));
  EXPECT_THAT(RefusalOf(bytes.substr(0, bytes.size() - 9)), HasSubstr("ends early"));
  bytes[12] ^= 0x5a;
  EXPECT_THAT(RefusalOf(bytes), HasSubstr("gzip content"));
}

TEST(ImageFile, RefusesAGzipBomb) {
  EXPECT_THAT(RefusalOf(Gzip(std::string(kMaxImageFileBytes + 1, '\0'))), HasSubstr("exceeds 268435456 bytes"));
}

TEST(ImageFile, RefusesAShortPng) {
  const std::string bytes = Png(30, 30, PNG_FORMAT_GRAY, std::vector<uint8_t>(900, 7));
  EXPECT_THAT(RefusalOf(bytes.substr(0, bytes.size() / 2)), HasSubstr("PNG"));
  EXPECT_THAT(RefusalOf(bytes.substr(0, 8)), HasSubstr("PNG"));
}

TEST(ImageFile, RefusesAPgmThatPromisesMoreThanItHolds) {
  EXPECT_THAT(RefusalOf("P5 2 2 255\nabc"), HasSubstr("promises 4 bytes of data and holds 3"));
  EXPECT_THAT(RefusalOf("P2 2 2 255 1 2 300000 4"), HasSubstr("value exceeds 255"));
  EXPECT_THAT(RefusalOf("P2 2 2 255 1 22 33"), HasSubstr("ends before its value"));
  EXPECT_THAT(RefusalOf("P2 9999 9999 255 1"), HasSubstr("ends before its 99980001 values"));
  EXPECT_THAT(RefusalOf("P5 2 2"), HasSubstr("ends before its highest value"));
  EXPECT_THAT(RefusalOf("P5 -2 2 255\nabcd"), HasSubstr("width is not a number"));
}

TEST(ImageFile, RefusesAPgmOfSixteenBitsAndOfNoPixels) {
  EXPECT_THAT(RefusalOf("P5 1 1 65535\nab"), HasSubstr("highest value 65535 is not within 1..255"));
  EXPECT_THAT(RefusalOf("P5 0 1 255\n"), HasSubstr("image of 0x1 pixels"));
  EXPECT_THAT(RefusalOf("P5 1 99999999999 255\n"), HasSubstr("height exceeds"));
}

TEST(ImageFile, NamesTheFileInAnError) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/short.pgm";
  std::ofstream(path) << "P5 2 2 255\n";
  EXPECT_THAT(ReadImageFile(path).status().message(), HasSubstr("short.pgm: PGM"));
  const absl::Status absent = ReadImageFile(path + ".absent").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(absent.message(), HasSubstr("short.pgm.absent"));
}

TEST(FitImages, CentresASmallerImageInZeros) {
  const GrayImages images{.count = 2, .height = 1, .width = 2, .pixels = {1, 2, 3, 4}};
  const absl::StatusOr<GrayImages> fitted = FitImages(images, 3, 5);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->count, 2);
  EXPECT_THAT(fitted->image(0), ElementsAre(0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(fitted->image(1), ElementsAre(0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0));
}

TEST(FitImages, LeavesAnImageOfTheRightSizeAsItIs) {
  const GrayImages images{.count = 1, .height = 2, .width = 2, .pixels = {1, 2, 3, 4}};
  EXPECT_EQ(FitImages(images, 2, 2)->pixels, images.pixels);
}

TEST(FitImages, RefusesALargerImage) {
  const GrayImages images{.count = 1, .height = 33, .width = 32, .pixels = std::vector<uint8_t>(33 * 32)};
  const absl::Status status = FitImages(images, 32, 32).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("32x33 pixels is larger than the model's input of 32x32"));
}

TEST(FitImages, RefusesMoreThanTheMemoryItMayTake) {
  const GrayImages one{.count = 1, .height = 1, .width = 1, .pixels = {1}};
  const absl::Status huge = FitImages(one, 1 << 20, 1 << 20).status();
  EXPECT_EQ(huge.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(huge.message(), HasSubstr("1 images exceed 1073741824 bytes"));

  constexpr int kCount = 1025;
  const GrayImages many{.count = kCount, .height = 1, .width = 1, .pixels = std::vector<uint8_t>(kCount)};
  EXPECT_THAT(FitImages(many, 1024, 1024).status().message(), HasSubstr("1025 images exceed 1073741824 bytes"));
}

}  // namespace
}  // namespace anybit
