// The safetensors file format: named tensors and string metadata in one file that opens in Python and Rust.
//
// Layout: a little-endian u64 N; N bytes of JSON, an object that maps each tensor name to
// {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]} and "__metadata__" to an object of strings, padded
// with spaces; then the data, row-major and little-endian, to which the offsets refer. Tensors cover the data without
// gaps or overlaps. (Format: the safetensors project's README.) Nothing is ever executed or unpickled.
#ifndef ANYBIT_MODEL_FORMAT_SAFETENSORS_H_
#define ANYBIT_MODEL_FORMAT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit::model {

// kOther: one of the format's other types (BOOL, U8, I16, U16, I32, U32, U64, F8_E4M3, F8_E5M2), whose values nothing
// here reads.
enum class ElementType : uint8_t { kInt8, kInt64, kFloat16, kBFloat16, kFloat32, kFloat64, kOther };

struct TensorView {
  ElementType type{};
  std::string type_name;  // as the file says, such as "F32"
  std::vector<int64_t> shape;
  absl::string_view bytes;  // into the file's text
};

struct TensorFile {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
  absl::string_view data;  // all tensors together
};

// Views into `text`, which must outlive them. DataLoss for a file that is cut short or inconsistent, Unimplemented for
// an element type that the format does not have.
absl::StatusOr<TensorFile> ParseSafetensors(absl::string_view text);

// Collects tensors and metadata, then writes the file's text. Names and metadata keys must be unique.
class SafetensorsWriter {
 public:
  void AddMetadata(const std::string& key, const std::string& value) { metadata_[key] = value; }
  void AddInt8(const std::string& name, std::vector<int64_t> shape, std::span<const int8_t> values);
  void AddFloat(const std::string& name, std::vector<int64_t> shape, std::span<const float> values);

  // The data section as it will stand in the file: float tensors first, so that all are aligned.
  std::string Data() const;
  std::string Finish() const;

 private:
  struct Tensor {
    const char* type;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  std::map<std::string, Tensor> floats_;
  std::map<std::string, Tensor> int8s_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_SAFETENSORS_H_
