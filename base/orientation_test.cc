#include "base/orientation.h"

#include <gtest/gtest.h>

#include "base/testing/image_bytes.h"

namespace anybit {
namespace {

int OrientationOf(const std::string& exif) {
  return ExifOrientation({reinterpret_cast<const uint8_t*>(exif.data()), exif.size()});
}

TEST(ExifOrientation, IsReadInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(OrientationOf(ExifOfOrientation(orientation)), orientation);
    EXPECT_EQ(OrientationOf(ExifOfOrientation(orientation, /*little_endian=*/true)), orientation);
  }
}

TEST(ExifOrientation, IsUprightForValuesThatDoNotExist) {
  for (int orientation : {0, 9, 65535}) EXPECT_EQ(OrientationOf(ExifOfOrientation(orientation)), 1);
}

TEST(ExifOrientation, IsUprightOrAValueWhateverTheBytes) {
  const std::string whole = ExifOfOrientation(6);
  for (size_t size = 0; size < whole.size(); ++size) {
    const int orientation = OrientationOf(whole.substr(0, size));
    EXPECT_TRUE(orientation == 1 || orientation == 6) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = value;
      const int orientation = OrientationOf(bytes);
      EXPECT_TRUE(orientation >= 1 && orientation <= 8) << at;
    }
  }
}

TEST(Upright, PutsTheFirstRowAndColumnWhereTheOrientationSays) {
  const Image stored{.height = 2, .width = 3, .pixels = {1, 2, 3, 4, 5, 6}};
  const std::vector<uint8_t> expected[] = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                           {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                           {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image upright = Upright(stored, orientation);
    EXPECT_EQ(upright.pixels, expected[orientation - 1]) << orientation;
    EXPECT_EQ(upright.height, orientation < 5 ? 2 : 3) << orientation;
    EXPECT_EQ(upright.width, orientation < 5 ? 3 : 2) << orientation;
  }
}

TEST(Upright, KeepsThePixelsOfColourTogether) {
  const Image stored{.height = 1, .width = 2, .channels = 3, .pixels = {1, 2, 3, 4, 5, 6}};
  const Image upright = Upright(stored, 6);
  EXPECT_EQ(upright.height, 2);
  EXPECT_EQ(upright.width, 1);
  EXPECT_EQ(upright.pixels, stored.pixels);
}

}  // namespace
}  // namespace anybit
