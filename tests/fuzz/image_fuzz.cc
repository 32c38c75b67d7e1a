// DecodeImage (PNG, JPEG, PGM): any bytes are refused, or give an image of as many pixels as its extents say.
#include <span>
#include <utility>

#include "base/image.h"
#include "base/image_file.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::StatusOr<anybit::Image> image = anybit::DecodeImage(std::span(data, size));
  if (!image.ok()) return 0;
  anybit::Require(image->channels == 1 || image->channels == 3, "an image is grey or of three colours");
  anybit::Require(image->height > 0 && image->width > 0, "an image has pixels");
  anybit::Require(image->height * image->width <= anybit::kMaxImagePixels, "an image has at most kMaxImagePixels");
  anybit::Require(static_cast<int64_t>(image->pixels.size()) == image->height * image->width * image->channels,
                  "an image's values are as many as its extents say");
  const int64_t pixels = image->height * image->width;
  const anybit::Image grey = anybit::WithChannels(*std::move(image), 1);
  anybit::Require(static_cast<int64_t>(grey.pixels.size()) == pixels, "a grey image has one value a pixel");
  return 0;
}
