// Images as they come out of files, and how they are brought to the shape that a network takes.
#ifndef ANYBIT_MODEL_DATA_IMAGE_H_
#define ANYBIT_MODEL_DATA_IMAGE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 1;         // 1: grey; 3: red, green, blue
  std::vector<uint8_t> pixels;  // [height][width][channels]
};

// InvalidArgument unless rows of this shape can be made of images: extents of 1..4096, 1..256 frames, 1 or 3 channels.
absl::Status CheckShape(const ExampleShape& shape);

// Grey becomes three equal channels; colour becomes its luma (ITU-R BT.601: .299 R + .587 G + .114 B).
Image WithChannels(Image image, int64_t channels);

// Scales the image, keeping its proportions, until it just covers height x width, and cuts what stands over evenly on
// both sides. A triangle filter over the source pixels, as wide as the step between target pixels but at least one
// pixel: area averaging where the image shrinks, bilinear where it grows, exact where it stays. `out` is
// [height][width][channels].
void ScaleToCover(const Image& image, int64_t height, int64_t width, std::span<uint8_t> out);

// The same examples with `shape`: each image in the middle of zeros, channels as in WithChannels. InvalidArgument if
// `shape` is smaller, has several frames, or the rows would take more than 16 GiB.
absl::StatusOr<MemoryExamples> Centred(MemoryExamples examples, const ExampleShape& shape);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_IMAGE_H_
