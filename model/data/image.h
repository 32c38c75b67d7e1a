// Brings images to the shape of a network's input.
#ifndef ANYBIT_MODEL_DATA_IMAGE_H_
#define ANYBIT_MODEL_DATA_IMAGE_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/image.h"
#include "model/data/example_set.h"

namespace anybit::model {

// InvalidArgument unless rows of this shape can be made of images: extents of 1..4096, 1..256 frames, 1 or 3 channels.
absl::Status CheckShape(const ExampleShape& shape);

// Scales the image, keeping its proportions, until it just covers height x width, and crops the excess evenly on both
// sides. A triangle filter over the source pixels, as wide as the step between target pixels but at least one
// pixel: area averaging where the image shrinks, bilinear where it grows, exact where it stays. `out` is
// [height][width][channels].
void ScaleToCover(const Image& image, int64_t height, int64_t width, std::span<uint8_t> out);

// The same examples with `shape`: each image centred in zeros, channels as in WithChannels. InvalidArgument if
// `shape` is smaller, has several frames, or the rows would take more than 16 GiB.
absl::StatusOr<MemoryExamples> Centred(MemoryExamples examples, const ExampleShape& shape);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_IMAGE_H_
