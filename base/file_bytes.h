// The bytes of a file, inflated where it is gzipped.
#ifndef ANYBIT_BASE_FILE_BYTES_H_
#define ANYBIT_BASE_FILE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace anybit {

// NotFound where it cannot be opened; DataLoss where it is no file, its gzip stream is damaged or it has more than
// `limit` bytes. Each names the file and the reason.
absl::StatusOr<std::vector<uint8_t>> ReadFileBytes(const std::string& path, size_t limit);

}  // namespace anybit

#endif  // ANYBIT_BASE_FILE_BYTES_H_
