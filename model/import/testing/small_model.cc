#include "model/import/testing/small_model.h"

#include <random>

#include "absl/strings/ascii.h"
#include "model/format/network_spec.h"
#include "model/import/testing/float_run.h"

namespace anybit::model {

std::vector<float> RandomFloats(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(random() % 2001) / 1000 - 1);
  return values;
}

onnx::NodeProto& SmallModel::Conv(const std::string& from, const std::string& to, const std::vector<int64_t>& weights,
                                  const std::vector<int64_t>& pads) {
  Weights(to + ".w", weights);
  return SetIntegers(builder.Node("Conv", {from, to + ".w"}, to), "pads", pads);
}

void SmallModel::Linear(const std::string& from, const std::string& to, int64_t inputs, int64_t outputs) {
  Weights(to + ".w", {inputs, outputs});
  Weights(to + ".b", {outputs});
  builder.Node("Gemm", {from, to + ".w", to + ".b"}, to);
}

void SmallModel::Norm(const std::string& from, const std::string& to, int64_t channels) {
  for (const char* part : {".scale", ".shift", ".mean"}) Weights(to + part, {channels});
  builder.Floats(to + ".var", {channels}, std::vector<float>(channels, 0.5f));
  builder.Node("BatchNormalization", {from, to + ".scale", to + ".shift", to + ".mean", to + ".var"}, to);
}

void SmallModel::Weights(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  builder.Floats(name, shape, RandomFloats(count, ++seed));
}

void SmallModel::Head(const std::string& from, int64_t channels) {
  builder.Node("GlobalAveragePool", {from}, "pool");
  builder.Node("Flatten", {"pool"}, "flat");
  Linear("flat", "logits", channels, 5);
  builder.Output("logits");
}

absl::StatusOr<ImportedNetwork> SmallModel::Import(const ImportOptions& options) const {
  return ImportOnnxText(builder.Text(), options);
}

std::string SmallModel::Error(const ImportOptions& options) const {
  return std::string(Import(options).status().message());
}

std::vector<uint8_t> RandomCodes(const Artifact& artifact) {
  std::mt19937_64 random(7);
  std::vector<uint8_t> codes(PlanNetwork(artifact.spec)->input_elements());
  for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
  return codes;
}

std::vector<double> RunCodes(const Artifact& artifact, const std::vector<uint8_t>& codes) {
  return FloatRun(artifact, std::vector<double>(codes.begin(), codes.end()));
}

std::vector<std::string> ShortNodes(const Artifact& artifact) {
  std::vector<std::string> nodes;
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  for (const PlannedNode& node : plan.nodes) {
    std::string text = node.kind == NodeKind::kMaxPool      ? "max"
                       : node.kind == NodeKind::kGlobalPool ? "mean"
                       : node.kind == NodeKind::kLinear     ? "linear"
                       : node.kind == NodeKind::kGate       ? "gate"
                       : node.depthwise                     ? "depthwise"
                                                            : "conv";
    const bool activated = node.activation.function != proto::Activation::NONE;
    if (node.has_residual && node.kind == NodeKind::kConv) text += " +";
    if (node.kind == NodeKind::kConv && node.relu && !activated) text += " relu";
    if (activated) text += " " + absl::AsciiStrToLower(proto::Activation::Function_Name(node.activation.function));
    nodes.push_back(text);
  }
  return nodes;
}

}  // namespace anybit::model
