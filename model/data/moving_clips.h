// Clips of moving objects, drawn from the images of a set: a test and a benchmark of networks over several frames.
//
// Clip i shows image i in front of noise and behind fixed bars. The image moves along a line, changes its size, and
// turns, all evenly in time. Every frame has its own noise and brightness; in half of the frames another object hides
// more of it. The label is the image's. One frame is often not enough to recognize it; several frames are: a
// three-layer network of 0.6 M multiplications, trained for 1,000 batches of 128 single frames of Fashion-MNIST in
// 32x32 pixels, is right for 50 % of the test clips from one frame, 54 % from two, 59 % from four and 61 % from eight
// by the mean of its features.
#ifndef ANYBIT_MODEL_DATA_MOVING_CLIPS_H_
#define ANYBIT_MODEL_DATA_MOVING_CLIPS_H_

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

class MovingClips final : public ExampleSet {
 public:
  // Clips of `objects`, grey still images of light things on black, such as Fashion-MNIST. Clips are a function of the
  // objects, the shape and the seed; each row is drawn whenever it is read. Frames have at least 16x16 pixels.
  static absl::StatusOr<MovingClips> Create(MemoryExamples objects, const ExampleShape& shape, uint64_t seed);
  MovingClips(MovingClips&&) = default;

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override;
  absl::Status Check(int64_t i) const override { return absl::OkStatus(); }

 private:
  MovingClips(MemoryExamples objects, const ExampleShape& shape, std::vector<uint16_t> labels, uint64_t seed);

  MemoryExamples objects_;
  uint64_t seed_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_MOVING_CLIPS_H_
