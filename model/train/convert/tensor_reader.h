// Reads float tensors of a file by name and collects everything that does not fit, so that one error lists all of it.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_READER_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_READER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/safetensors.h"

namespace anybit::model::train {

class TensorReader {
 public:
  // `file` must outlive it. Its tensors are known by their names without wrappers (resnet_names.h). InvalidArgument for
  // two tensors with the same name.
  static absl::StatusOr<TensorReader> Create(const TensorFile& file);

  // Whether a tensor's name has `part` between its dots.
  bool HasPart(absl::string_view part) const;

  // The values of tensor `name`, F16, BF16, F32 or F64, as floats. Zeros where the file has no such tensor of `shape`;
  // status() then says so.
  std::vector<float> Take(const std::string& name, const std::vector<int64_t>& shape);

  // InvalidArgument with all tensors that were missing, of another shape or type, or not finite, and all that were not
  // taken although they belong to a ResNet's computation.
  absl::Status status() const;

  // The other tensors that were not taken, on one line; empty: there are none.
  std::string Unneeded() const;

 private:
  TensorReader() = default;

  std::map<std::string, const TensorView*> tensors_;  // by name without wrappers
  std::set<std::string> taken_;
  std::vector<std::string> missing_, misshapen_, infinite_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_TENSOR_READER_H_
