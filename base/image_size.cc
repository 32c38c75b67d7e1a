#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/image_decoders.h"
#include "base/image_file.h"

namespace anybit {

absl::Status CheckImageSize(int64_t height, int64_t width) {
  if (height >= 1 && width >= 1 && height <= kMaxImagePixels / width) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("image of ", height, "x", width, " pixels; allowed are 1 to ", kMaxImagePixels));
}

}  // namespace anybit
