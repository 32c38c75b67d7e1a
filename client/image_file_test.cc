#include "client/image_file.h"

#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "base/image_file.h"
#include "base/testing/image_bytes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
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

std::span<const uint8_t> Span(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

std::string WriteGzipped(const std::string& name, const std::string& plain) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
  gzFile file = gzopen(path.c_str(), "wb1");
  EXPECT_EQ(gzwrite(file, plain.data(), static_cast<unsigned>(plain.size())), static_cast<int>(plain.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return path;
}

std::string RefusalOf(const std::string& bytes) {
  const absl::StatusOr<GrayImages> images = ParseImages(Span(bytes));
  EXPECT_EQ(images.status().code(), absl::StatusCode::kDataLoss);
  return std::string(images.status().message());
}

TEST(ImageFile, ReadsEveryImageOfAnIdxFile) {
  const absl::StatusOr<GrayImages> images = ParseImages(Span(Idx({2, 1, 3}, "abcdef")));
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
  const absl::StatusOr<GrayImages> images = ReadImages(WriteGzipped("images.gz", plain));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->pixels, ParseImages(Span(plain))->pixels);
}

TEST(ImageFile, ReadsLabelsPlainAndGzipped) {
  const std::string plain = Idx({3}, {7, 0, 9});
  EXPECT_THAT(ParseLabels(Span(plain)).value(), ElementsAre(7, 0, 9));
  EXPECT_THAT(ReadLabels(WriteGzipped("labels.gz", plain)).value(), ElementsAre(7, 0, 9));
}

TEST(ImageFile, ReadsTheTenThousandFashionMnistTestImages) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  const absl::StatusOr<GrayImages> images = ReadImages(folder + "t10k-images-idx3-ubyte.gz");
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->count, 10'000);
  EXPECT_EQ(images->height, 28);
  EXPECT_EQ(images->width, 28);
  EXPECT_EQ(ReadLabels(folder + "t10k-labels-idx1-ubyte.gz").value().size(), 10'000u);
}

TEST(ImageFile, TakesAnImageOfAnyFormatAsGray) {
  const Image gray = Gradient(4, 6, 1);
  const absl::StatusOr<GrayImages> image = ParseImages(Span(PngBytes(gray)));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->count, 1);
  EXPECT_EQ(image->height, 4);
  EXPECT_EQ(image->width, 6);
  EXPECT_EQ(image->pixels, gray.pixels);
  EXPECT_EQ(ParseImages(Span(JpegBytes(gray, 100)))->width, 6);
  EXPECT_THAT(ParseImages(Span("P2 2 1 255 3 4"))->pixels, ElementsAre(3, 4));
}

TEST(ImageFile, TurnsColourIntoTheLumaOfTheStoredValues) {
  const Image red{.height = 1, .width = 2, .channels = 3, .pixels = {200, 30, 30, 200, 30, 30}};
  EXPECT_THAT(ParseImages(Span(PngBytes(red)))->pixels, ElementsAre(81, 81));
}

TEST(ImageFile, TurnsAnImageAsItsExifOrientationSays) {
  const std::string upright = WithJpegExif(JpegBytes(Gradient(8, 16, 1), 100), ExifOfOrientation(6));
  const absl::StatusOr<GrayImages> image = ParseImages(Span(upright));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->height, 16);
  EXPECT_EQ(image->width, 8);
}

TEST(ImageFile, RefusesBytesThatAreNoImage) {
  EXPECT_THAT(RefusalOf("hello"), HasSubstr("not a PNG, JPEG or PGM image"));
  EXPECT_THAT(RefusalOf(""), HasSubstr("not a PNG, JPEG or PGM image"));
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

TEST(ImageFile, RefusesAGzipBomb) {
  const std::string path = WriteGzipped("bomb.gz", std::string(kMaxImageFileBytes + 1, '\0'));
  EXPECT_THAT(ReadImages(path).status().message(), HasSubstr("has more than 268435456 bytes"));
}

TEST(ImageFile, RefusesAShortImage) {
  const std::string bytes = PngBytes(Gradient(30, 30, 1));
  EXPECT_THAT(RefusalOf(bytes.substr(0, bytes.size() / 2)), HasSubstr("PNG: the file ends too early"));
}

TEST(ImageFile, NamesTheFileInAnError) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/short.pgm";
  std::ofstream(path) << "P5 2 2 255\n";
  EXPECT_THAT(ReadImages(path).status().message(), HasSubstr("short.pgm': PGM"));
  const absl::Status absent = ReadImages(path + ".absent").status();
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
}  // namespace anybit::client
