#include "model/image_set.h"

#include <zlib.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace anybit {
namespace {

std::string Write(const std::string& name, const std::string& bytes, bool zipped = false) {
  const std::string path = testing::TempDir() + "/" + name;
  if (zipped) {
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  } else {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  return path;
}

std::string Header(int dimensions, std::vector<int> shape) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions)};
  for (int extent : shape) bytes += {0, 0, 0, static_cast<char>(extent)};
  return bytes;
}

TEST(ReadIdx, CentresImagesInZeros) {
  const std::string images = Write("images", Header(3, {2, 1, 2}) + "\x01\x02\x03\x04", /*zipped=*/true);
  const std::string labels = Write("labels", Header(1, {2}) + "\x07\x09");
  const ImageSet set = *ReadIdx(images, labels, 4);
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.labels, (std::vector<uint8_t>{7, 9}));
  const std::vector<uint8_t> second(set.images(1, 1).begin(), set.images(1, 1).end());
  EXPECT_EQ(second, (std::vector<uint8_t>{0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(ReadIdx, NamesWhatDoesNotFit) {
  const std::string images = Write("good_images", Header(3, {1, 2, 2}) + "abcd");
  const std::string labels = Write("good_labels", Header(1, {1}) + "\x01");
  const auto error = [&](const std::string& i, const std::string& l, int side) {
    return std::string(ReadIdx(i, l, side).status().message());
  };
  EXPECT_EQ(error(images, labels, 2), "");
  EXPECT_EQ(error(images, labels, 1), "images of 2x2 do not fit 1x1");
  EXPECT_EQ(error(images, Write("two", Header(1, {2}) + "ab"), 2), "2 labels for 1 images");
  EXPECT_NE(error(Write("short", Header(3, {1, 2, 2}) + "abc"), labels, 2).find("holds 3 values, its header says 4"),
            std::string::npos);
  EXPECT_NE(error(Write("huge", std::string("\0\0\x08\x03", 4) + std::string(12, '\xff')), labels, 2).find("holds 0 values"),
            std::string::npos);
  EXPECT_NE(error(labels, labels, 2).find("is not an IDX file of bytes in 3 dimensions"), std::string::npos);
  EXPECT_NE(error(testing::TempDir() + "/none", labels, 2).find("cannot open"), std::string::npos);
}

TEST(ReadIdxFolder, FindsPlainAndZippedFiles) {
  const std::string folder = testing::TempDir() + "/idx";
  std::filesystem::create_directories(folder);
  Write("idx/t10k-images-idx3-ubyte.gz", Header(3, {1, 1, 1}) + "x", true);
  Write("idx/t10k-labels-idx1-ubyte", Header(1, {1}) + "\x02");
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTest, 1)->labels[0], 2);
  EXPECT_FALSE(ReadIdxFolder(folder, Split::kTrain, 1).ok());
}

}  // namespace
}  // namespace anybit
