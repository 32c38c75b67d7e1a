#include "model/import/testing/artifact_to_onnx.h"

#include <vector>

#include "model/format/network_spec.h"
#include "model/import/testing/onnx_builder.h"

namespace anybit::model {
namespace {

constexpr float kHighestCode = 255, kEpsilon = 1e-5f;

// [out][places][channels] as [out][channels][places].
std::vector<float> ChannelsFirst(const std::vector<float>& weights, int64_t places, int64_t channels) {
  std::vector<float> moved(weights.size());
  const int64_t depth = places * channels, outputs = static_cast<int64_t>(weights.size()) / depth;
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t p = 0; p < places; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        moved[o * depth + c * places + p] = weights[o * depth + p * channels + c];
      }
    }
  }
  return moved;
}

class Exporter {
 public:
  explicit Exporter(const Artifact& artifact) : artifact_(artifact), plan_(*PlanNetwork(artifact.spec)) {}

  std::string Write() {
    onnx_.Input("image", {-1, plan_.input.channels, plan_.input.height, plan_.input.width});
    for (const PlannedNode& node : plan_.nodes) {
      switch (node.kind) {
        case NodeKind::kConv: WriteConv(node); break;
        case NodeKind::kLinear: WriteLinear(node); break;
        case NodeKind::kGate: onnx_.Node("Mul", {NameOf(node.input), NameOf(node.residual)}, node.name); break;
        case NodeKind::kGlobalPool: onnx_.Node("GlobalAveragePool", {NameOf(node.input)}, node.name); break;
        case NodeKind::kMaxPool: {
          onnx::NodeProto& pool = onnx_.Node("MaxPool", {NameOf(node.input)}, node.name);
          SetIntegers(pool, "kernel_shape", {node.pool, node.pool});
          SetIntegers(pool, "strides", {node.stride, node.stride});
          SetIntegers(pool, "pads", {node.padding, node.padding, node.padding, node.padding});
          break;
        }
      }
    }
    onnx_.Output(plan_.nodes.back().name);
    return onnx_.Text();
  }

 private:
  std::string NameOf(int index) const { return index == kNetworkInput ? "image" : plan_.nodes[index].name; }

  void WriteConv(const PlannedNode& node) {
    const std::string& name = node.name;
    const LayerEpilogue& layer = artifact_.points[0].layers[node.layer];
    const int64_t channels = node.depthwise ? 1 : node.in.channels, outputs = node.out.channels;
    onnx_.Floats(name + ".weight", {outputs, channels, node.kernel, node.kernel},
                 ChannelsFirst(artifact_.store[node.layer].full, int64_t{node.kernel} * node.kernel, channels));
    onnx::NodeProto& conv = onnx_.Node("Conv", {NameOf(node.input), name + ".weight"}, name + ".conv");
    SetIntegers(conv, "strides", {node.stride, node.stride});
    SetIntegers(conv, "pads", {node.padding, node.padding, node.padding, node.padding});
    if (node.depthwise) SetInteger(conv, "group", outputs);
    std::vector<float> scale = layer.scale;
    for (float& s : scale) s *= node.input == kNetworkInput ? kHighestCode : 1;
    onnx_.Floats(name + ".scale", {outputs}, scale);
    onnx_.Floats(name + ".bias", {outputs}, layer.bias);
    onnx_.Floats(name + ".mean", {outputs}, std::vector<float>(outputs, 0));
    onnx_.Floats(name + ".variance", {outputs}, std::vector<float>(outputs, 1 - kEpsilon));
    std::string last = node.relu || node.has_residual ? name + ".norm" : name;
    SetFloat(onnx_.Node("BatchNormalization",
                        {name + ".conv", name + ".scale", name + ".bias", name + ".mean", name + ".variance"}, last),
             "epsilon", kEpsilon);
    if (node.has_residual) {
      const std::string sum = node.relu ? name + ".sum" : name;
      std::string added = NameOf(node.residual);
      if (layer.residual_scale != 1) {
        onnx_.Floats(name + ".share", {}, {layer.residual_scale});
        onnx_.Node("Mul", {added, name + ".share"}, name + ".part");
        added = name + ".part";
      }
      onnx_.Node("Add", {last, added}, sum);
      last = sum;
    }
    if (node.relu) onnx_.Node("Relu", {last}, name);
  }

  void WriteLinear(const PlannedNode& node) {
    const LayerEpilogue& layer = artifact_.points[0].layers[node.layer];
    const PlannedNode* pool = plan_.PoolReadBy(node);
    const float unit = pool == nullptr ? 1 : static_cast<float>(pool->pooled());
    std::vector<float> weights =
        ChannelsFirst(artifact_.store[node.layer].full, node.in.height * node.in.width, node.in.channels);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= unit * layer.scale[i / static_cast<size_t>(node.depth)];
    onnx_.Node("Flatten", {NameOf(node.input)}, node.name + ".flat");
    onnx_.Floats(node.name + ".weight", {node.out.channels, node.depth}, weights);
    onnx_.Floats(node.name + ".bias", {node.out.channels}, layer.bias);
    SetInteger(onnx_.Node("Gemm", {node.name + ".flat", node.name + ".weight", node.name + ".bias"}, node.name),
               "transB", 1);
  }

  const Artifact& artifact_;
  const NetworkPlan plan_;
  OnnxBuilder onnx_;
};

}  // namespace

std::string ArtifactToOnnx(const Artifact& artifact) { return Exporter(artifact).Write(); }

}  // namespace anybit::model
