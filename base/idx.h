// IDX, the format of the MNIST family: an array of unsigned bytes.
//
// Two zeros, the type of the values (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit
// number, then the values in row-major order. Source: Y. LeCun's description of the MNIST files.
#ifndef ANYBIT_BASE_IDX_H_
#define ANYBIT_BASE_IDX_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace anybit {

struct Idx {
  std::vector<int64_t> shape;       // of dimensions from 1 on
  std::span<const uint8_t> values;  // a part of what was parsed; their number is the product of `shape`
};

// Whether the bytes begin as an IDX file does.
bool IsIdx(std::span<const uint8_t> bytes);

// DataLoss, naming the value and the limit, for what is no IDX file of unsigned bytes in `rank` dimensions. `bytes`
// must outlive the result.
absl::StatusOr<Idx> ParseIdx(std::span<const uint8_t> bytes, size_t rank);

}  // namespace anybit

#endif  // ANYBIT_BASE_IDX_H_
