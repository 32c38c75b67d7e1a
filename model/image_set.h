// Labelled images as u8 codes, read from IDX files (the MNIST family), plain or gzipped.
//
// IDX: big-endian magic 0x00000803 (u8, three dimensions: images) or 0x00000801 (u8, one dimension: labels), one u32 per
// dimension, then the bytes (Y. LeCun's description of the MNIST files).
#ifndef ANYBIT_MODEL_IMAGE_SET_H_
#define ANYBIT_MODEL_IMAGE_SET_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anybit {

struct ImageSet {
  int64_t count = 0;
  int64_t side = 0;              // images are square, one channel
  std::vector<uint8_t> pixels;   // [count][side][side]
  std::vector<uint8_t> labels;   // [count]

  std::span<const uint8_t> images(int64_t first, int64_t n) const {
    return std::span(pixels).subspan(first * side * side, n * side * side);
  }
};

// Images of `images_path` centred in `side` x `side` zeros, with the labels of `labels_path`. NotFound, or DataLoss naming
// what does not fit.
absl::StatusOr<ImageSet> ReadIdx(const std::string& images_path, const std::string& labels_path, int64_t side);

enum class Split { kTrain, kTest };

// The train or test files of a folder with the MNIST family's file names, e.g. train-images-idx3-ubyte.gz.
absl::StatusOr<ImageSet> ReadIdxFolder(const std::string& folder, Split split, int64_t side);

}  // namespace anybit

#endif  // ANYBIT_MODEL_IMAGE_SET_H_
