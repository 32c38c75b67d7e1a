// How a camera was held: orientation 1..8 of EXIF (JEITA CP-3451, tag 274), and the image turned upright.
//
// The value says where the stored image's first row and first column belong: 1 top left (upright), 2 top right,
// 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom. From 5 on the image is stored
// with rows and columns exchanged.
#ifndef ANYBIT_BASE_ORIENTATION_H_
#define ANYBIT_BASE_ORIENTATION_H_

#include <cstdint>
#include <span>

#include "base/image.h"

namespace anybit {

// Of EXIF data, which is a TIFF file: it begins with "II" or "MM". 1 where it is damaged or says nothing valid: the
// image is whole without it.
int ExifOrientation(std::span<const uint8_t> exif);

// The image as it was seen. `orientation` is 1..8.
Image Upright(Image image, int orientation);

}  // namespace anybit

#endif  // ANYBIT_BASE_ORIENTATION_H_
