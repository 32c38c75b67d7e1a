#include "base/idx.h"

#include "absl/strings/str_cat.h"

namespace anybit {

bool IsIdx(std::span<const uint8_t> bytes) { return bytes.size() >= 2 && bytes[0] == 0 && bytes[1] == 0; }

absl::StatusOr<Idx> ParseIdx(std::span<const uint8_t> bytes, size_t rank) {
  constexpr uint8_t kUnsignedByte = 8;
  if (bytes.size() < 4 || !IsIdx(bytes)) {
    return absl::DataLossError("not an IDX file: its first two bytes are not zero");
  }
  if (bytes[2] != kUnsignedByte) {
    return absl::DataLossError(absl::StrCat("IDX element type ", bytes[2], " is not 8 (unsigned byte)"));
  }
  if (bytes[3] != rank) {
    return absl::DataLossError(absl::StrCat("IDX file has ", bytes[3], " dimensions, expected ", rank));
  }
  const size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    return absl::DataLossError(absl::StrCat("IDX header ends after ", bytes.size(), " of ", header, " bytes"));
  }
  Idx idx{.values = bytes.subspan(header)};
  constexpr uint64_t kMaxElements = (uint64_t{1} << 31) - 1;  // below it, no product of dimensions overflows
  uint64_t elements = 1;
  for (size_t d = 0; d < rank; ++d) {
    uint32_t dim = 0;
    for (size_t i = 0; i < 4; ++i) dim = dim << 8 | bytes[4 + 4 * d + i];
    elements *= dim;  // both factors are below 2^32
    if (dim == 0 || elements > kMaxElements) {
      return absl::DataLossError(absl::StrCat("IDX dimension ", d, " is ", dim, ": the file would hold ", elements,
                                              " elements, allowed are 1 to ", kMaxElements));
    }
    idx.shape.push_back(dim);
  }
  if (idx.values.size() != elements) {
    return absl::DataLossError(
        absl::StrCat("IDX file promises ", elements, " bytes of data and holds ", idx.values.size()));
  }
  return idx;
}

}  // namespace anybit
