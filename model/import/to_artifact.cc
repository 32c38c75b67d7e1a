#include "model/import/to_artifact.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

constexpr double kHighestCode = 255;
constexpr float kHighestWeightCode = 127;

// Rounds weights to the nearest code of a channel whose largest weight is code 127.
void RoundStore(int64_t depth, LayerStore& store) {
  const size_t size = static_cast<size_t>(depth);
  store.q8.resize(store.full.size());
  for (size_t first = 0; first < store.full.size(); first += size) {
    float largest = 0;
    for (size_t i = first; i < first + size; ++i) largest = std::max(largest, std::fabs(store.full[i]));
    const float scale = std::max(largest / kHighestWeightCode, 1e-8f);
    store.scale.push_back(scale);
    for (size_t i = first; i < first + size; ++i) {
      store.q8[i] = static_cast<int8_t>(std::clamp(std::nearbyint(store.full[i] / scale), -127.0f, 127.0f));
    }
  }
}

class ArtifactWriter {
 public:
  ArtifactWriter(FloatLayers layers, const std::string& name) : layers_(std::move(layers)) {
    artifact_.spec.set_name(LegalName(name));
    ArtifactPoint& point = artifact_.points.emplace_back();
    point.info = {.name = "fp32", .weight_bits = 32, .activation_bits = 32};
    point.full_precision = true;
  }

  absl::StatusOr<Artifact> Write(const std::vector<std::string>& labels) {
    NetworkSpec& spec = artifact_.spec;
    spec.mutable_input()->set_name("image");
    for (const int64_t extent : {layers_.input.height, layers_.input.width, layers_.input.channels}) {
      spec.mutable_input()->add_shape(extent);
    }
    spec.mutable_output()->set_name("logits");
    spec.mutable_output()->add_shape(layers_.layers.back().out.channels);
    const auto is_code = [](float code) { return code >= 0 && code <= static_cast<float>(kHighestCode); };
    const auto is_zero = [](float code) { return code == 0; };
    const std::vector<float>& border = layers_.border;
    if (std::all_of(border.begin(), border.end(), is_code) && !std::all_of(border.begin(), border.end(), is_zero)) {
      spec.mutable_padding_code()->Assign(border.begin(), border.end());
    }
    spec.mutable_labels()->Assign(labels.begin(), labels.end());
    for (FloatLayer& layer : layers_.layers) {
      WriteNode(layer);
      if (!layer.has_weights()) continue;
      if (absl::Status status = WriteLayer(layer); !status.ok()) return status;
    }
    if (absl::Status status = ValidateArtifact(artifact_); !status.ok()) return status;
    return std::move(artifact_);
  }

 private:
  std::string NameOf(int index) const { return index == kNetworkInput ? "input" : names_[index]; }

  std::string Unused(const std::string& name) {
    std::string unused = name;
    for (int i = 2; !used_.insert(unused).second; ++i) unused = absl::StrCat(name, "_", i);
    return unused;
  }

  void WriteNode(const FloatLayer& layer) {
    proto::Node& node = *artifact_.spec.add_nodes();
    names_.push_back(Unused(LegalName(layer.name)));
    node.set_name(names_.back());
    node.add_inputs(NameOf(layer.input));
    if (layer.residual != kNoLayer) node.add_inputs(NameOf(layer.residual));
    switch (layer.kind) {
      case NodeKind::kConv: {
        proto::Conv& conv = *node.mutable_conv();
        conv.set_out_channels(static_cast<int32_t>(layer.out.channels));
        conv.set_kernel(layer.kernel);
        conv.set_stride(layer.stride);
        conv.set_padding(layer.padding);
        if (layer.depthwise) conv.set_groups(static_cast<int32_t>(layer.out.channels));
        if (layer.activation.is_none()) {
          conv.set_without_relu(!layer.relu);
          break;
        }
        conv.mutable_activation()->set_function(layer.activation.function);
        conv.mutable_activation()->set_alpha(layer.activation.alpha);
        conv.mutable_activation()->set_beta(layer.activation.beta);
        break;
      }
      case NodeKind::kMaxPool: {
        proto::MaxPool& pool = *node.mutable_max_pool();
        pool.set_size(layer.kernel);
        pool.set_stride(layer.stride);
        pool.set_padding(layer.padding);
        break;
      }
      case NodeKind::kGlobalPool: node.mutable_global_pool(); break;
      case NodeKind::kGate: node.mutable_gate(); break;
      case NodeKind::kLinear: node.mutable_linear()->set_out_features(static_cast<int32_t>(layer.out.channels)); break;
    }
  }

  // Whether only pools stand between the network's input and layer `index`, or it is the input.
  bool ReadsCodes(int index) const {
    const auto is_pool = [](NodeKind kind) { return kind == NodeKind::kMaxPool || kind == NodeKind::kGlobalPool; };
    while (index != kNetworkInput && is_pool(layers_.layers[index].kind)) index = layers_.layers[index].input;
    return index == kNetworkInput;
  }

  // What a global pool's sum of 1 stands for.
  double UnitOf(int index) const {
    if (index == kNetworkInput || layers_.layers[index].kind != NodeKind::kGlobalPool) return 1;
    const FeatureShape& in = layers_.layers[index].in;
    return 1.0 / static_cast<double>(in.height * in.width);
  }

  absl::Status WriteLayer(FloatLayer& layer) {
    LayerEpilogue& epilogue = artifact_.points[0].layers.emplace_back();
    const int64_t depth = layer.depth();
    if (layer.kind == NodeKind::kLinear) {
      // The weights take over the scale, because quantized points have only that of sums. These count the network's
      // codes as 1/255.
      const double highest = ReadsCodes(layer.input) ? kHighestCode : 1;
      for (size_t i = 0; i < layer.weights.size(); ++i) {
        const double scale = layer.scale[i / static_cast<size_t>(depth)] * highest;
        layer.weights[i] = static_cast<float>(layer.weights[i] * scale);
      }
      layer.scale.assign(layer.scale.size(), UnitOf(layer.input) / highest);
    }
    if (layer.kind == NodeKind::kConv) {
      for (double& scale : layer.scale) scale *= UnitOf(layer.input);
    }
    LayerStore& store = artifact_.store.emplace_back();
    store.full = std::move(layer.weights);
    epilogue.scale.assign(layer.scale.begin(), layer.scale.end());
    epilogue.bias.assign(layer.bias.begin(), layer.bias.end());
    if (layer.kind == NodeKind::kConv && layer.residual != kNoLayer) epilogue.residual_scale = 1;
    const auto finite = [](const std::vector<float>& values) {
      return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    };
    if (!finite(store.full) || !finite(epilogue.scale) || !finite(epilogue.bias)) {
      return absl::InvalidArgumentError(absl::StrCat(layer.origin, ": a weight, scale or bias is not finite"));
    }
    RoundStore(depth, store);
    return absl::OkStatus();
  }

  FloatLayers layers_;
  Artifact artifact_;
  std::vector<std::string> names_;  // of the nodes so far
  std::set<std::string> used_ = {"input"};
};

}  // namespace

std::string LegalName(const std::string& text) {
  constexpr size_t kMaxLength = 100;
  std::string name;
  for (const char c : text) {
    const char small = absl::ascii_tolower(static_cast<unsigned char>(c));
    const bool legal =
        absl::ascii_isdigit(static_cast<unsigned char>(small)) || (small >= 'a' && small <= 'z') || small == '_';
    if (legal) name.push_back(small);
    if (!legal && !name.empty() && name.back() != '.') name.push_back('.');
  }
  if (name.size() > kMaxLength) name.resize(kMaxLength);
  while (!name.empty() && name.back() == '.') name.pop_back();
  return name.empty() ? "network" : name;
}

absl::StatusOr<Artifact> ToArtifact(FloatLayers layers, const std::string& name,
                                    const std::vector<std::string>& labels) {
  return ArtifactWriter(std::move(layers), name).Write(labels);
}

}  // namespace anybit::model
