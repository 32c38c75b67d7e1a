// ParseSafetensors: any bytes are refused, or every tensor lies inside the data section.
#include <functional>

#include "absl/strings/string_view.h"
#include "model/format/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<anybit::model::TensorFile> file = anybit::model::ParseSafetensors(text);
  if (!file.ok()) return 0;
  size_t covered = 0;
  for (const auto& [name, tensor] : file->tensors) {
    covered += tensor.bytes.size();
    if (tensor.bytes.empty()) continue;
    const std::less_equal<> before;
    anybit::Require(before(file->data.begin(), tensor.bytes.begin()) && before(tensor.bytes.end(), file->data.end()),
                    "a tensor lies inside the data section");
  }
  anybit::Require(covered == file->data.size(), "tensors cover the data section without gaps or overlaps");
  return 0;
}
