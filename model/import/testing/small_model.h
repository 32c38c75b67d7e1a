// Small float networks of random weights as ONNX models, and what is imported of them in short, for tests.
#ifndef ANYBIT_MODEL_IMPORT_TESTING_SMALL_MODEL_H_
#define ANYBIT_MODEL_IMPORT_TESTING_SMALL_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/import/import_onnx.h"
#include "model/import/testing/onnx_builder.h"

namespace anybit::model {

// `count` numbers of -1..1.
std::vector<float> RandomFloats(int64_t count, uint64_t seed);

// A model with input "x" of a shape, whose layers get random weights.
class SmallModel {
 public:
  explicit SmallModel(const std::vector<int64_t>& input = {1, 3, 8, 8}) { builder.Input("x", input); }

  onnx::NodeProto& Conv(const std::string& from, const std::string& to, const std::vector<int64_t>& weights,
                        const std::vector<int64_t>& pads = {1, 1, 1, 1});
  void Linear(const std::string& from, const std::string& to, int64_t inputs, int64_t outputs);
  void Norm(const std::string& from, const std::string& to, int64_t channels);
  void Weights(const std::string& name, const std::vector<int64_t>& shape);
  // A mean over the map and a linear layer of five classes.
  void Head(const std::string& from, int64_t channels);

  absl::StatusOr<ImportedNetwork> Import(const ImportOptions& options = {}) const;
  std::string Error(const ImportOptions& options = {}) const;

  OnnxBuilder builder;
  uint64_t seed = 0;
};

// One row of random codes.
std::vector<uint8_t> RandomCodes(const Artifact& artifact);

// The logits of the fp32 point.
std::vector<double> RunCodes(const Artifact& artifact, const std::vector<uint8_t>& codes);

// The nodes in short: "conv", "conv relu", "conv + relu" where it adds, "depthwise", "max", "mean", "linear".
std::vector<std::string> ShortNodes(const Artifact& artifact);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TESTING_SMALL_MODEL_H_
