#include "model/engine/torch_network.h"

#include <torch/torch.h>

#include "absl/strings/str_cat.h"
#include "model/engine/torch_weights.h"
#include "model/format/bfloat16.h"
#include "model/format/requantize.h"
#include "model/format/zero_points.h"

namespace anybit::model {
namespace {

class NoScratch : public AdaptiveNetwork::Scratch {};  // LibTorch allocates its own memory

// Runs `work` without gradients; LibTorch's exceptions end here.
template <typename Work>
absl::Status Stopped(Work work) {
  torch::NoGradGuard no_gradient;
  try {
    work();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
  return absl::OkStatus();
}

class TorchNetworkImpl : public TorchNetwork {
 public:
  explicit TorchNetworkImpl(Artifact artifact)
      : artifact_(std::move(artifact)), plan_(*PlanNetwork(artifact_.spec)), description_(Describe(artifact_)) {
    weights_.resize(artifact_.points.size());
    for (size_t p = 0; p < artifact_.points.size(); ++p) {
      for (size_t layer = 0; layer < plan_.layers.size(); ++layer) {
        weights_[p].push_back(PrepareWeights(artifact_.points[p], static_cast<int>(layer)));
      }
    }
  }

  const NetworkDescription& description() const override { return description_; }
  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override { return std::make_unique<NoScratch>(); }

  absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                   Scratch& scratch) const override {
    const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), output.size());
    if (!rows.ok()) return rows.status();
    return Stopped([&] {
      const torch::Tensor logits = Compute(point, input, *rows, nullptr).contiguous();
      std::copy_n(logits.const_data_ptr<float>(), output.size(), output.data());
    });
  }

  absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const override {
    const size_t outputs = input.size() / description_.input.elements * description_.output.elements;
    const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), outputs);
    if (!rows.ok()) return rows.status();
    LayerTrace trace;
    absl::Status status = Stopped([&] { Compute(point, input, *rows, &trace); });
    if (!status.ok()) return status;
    return trace;
  }

 private:
  torch::Tensor PrepareWeights(const ArtifactPoint& point, int layer) const {
    const PlannedNode& node = plan_.layer(layer);
    const LayerStore& store = artifact_.store[layer];
    return point.full_precision ? InPrecisionOf(point, FullWeights(store, node))
                                : ChildWeights(store, point.layers[layer].weights, plan_, node);
  }

  // Rounded to bfloat16 at a point of such numbers.
  static torch::Tensor InPrecisionOf(const ArtifactPoint& point, const torch::Tensor& x) {
    return point.is_bfloat16() ? x.to(torch::kBFloat16).to(torch::kFloat32) : x;
  }

  // The epilogue over sums [N, O, H, W] (whole numbers); codes as float32 of the same shape.
  static torch::Tensor ApplyEpilogue(const torch::Tensor& sums, const LayerEpilogue& layer,
                                     const torch::Tensor* residual) {
    const torch::Tensor acc = sums.to(torch::kInt64).contiguous();
    const int highest = layer.highest_of_sums();
    torch::Tensor codes = torch::empty(acc.sizes(), torch::kFloat32);
    const torch::Tensor added = residual != nullptr ? residual->contiguous() : torch::Tensor();
    const int64_t* in = acc.const_data_ptr<int64_t>();
    const float* add = residual != nullptr ? added.const_data_ptr<float>() : nullptr;
    float* out = codes.mutable_data_ptr<float>();
    const int64_t channels = acc.size(1), area = acc.size(2) * acc.size(3);
    for (int64_t i = 0; i < acc.numel(); ++i) {
      const int64_t o = i / area % channels;
      out[i] = add == nullptr ? Requantize(in[i], layer.scale[o], layer.bias[o], highest)
                              : RequantizeWithResidual(static_cast<int32_t>(in[i]), layer.scale[o], layer.bias[o],
                                                       static_cast<uint8_t>(add[i]), layer.residual_scale, highest);
      if (!layer.table.empty()) out[i] = layer.table[static_cast<size_t>(out[i])];
    }
    return codes;
  }

  // Of x [rows * frames, C, H, W]: [rows, C, 1, 1], exact.
  static torch::Tensor GlobalSums(const PlannedNode& node, const torch::Tensor& x, int64_t rows) {
    const torch::Tensor exact = x.to(node.pooled() * 255 < 16777216 ? torch::kFloat32 : torch::kFloat64);
    return exact.sum({2, 3}).reshape({rows, node.frames, -1}).sum(1).reshape({rows, -1, 1, 1});
  }

  static torch::Tensor Floats(const std::vector<float>& values) { return torch::tensor(values); }

  torch::Tensor ComputeConv(PointId point, const PlannedNode& node, const torch::Tensor& x,
                            const torch::Tensor* residual) const {
    const ArtifactPoint& p = artifact_.points[ToIndex(point)];
    const LayerEpilogue& layer = p.layers[node.layer];
    const torch::Tensor& w = weights_[ToIndex(point)][node.layer];
    const int64_t inside = 0;  // the padding is there
    const torch::Tensor y = torch::conv2d(Padded(p, node, x).to(w.scalar_type()), w, {}, node.stride, inside,
                                          /*dilation=*/1, node.depthwise ? node.out.channels : 1);
    if (!p.full_precision) return ApplyEpilogue(y, layer, residual);
    torch::Tensor z = y * Floats(layer.scale).reshape({1, -1, 1, 1}) + Floats(layer.bias).reshape({1, -1, 1, 1});
    if (residual != nullptr) z = z + *residual * layer.residual_scale;
    z = InPrecisionOf(p, node.relu ? torch::relu(z) : z);
    if (node.activation.is_none()) return z;
    return InPrecisionOf(p, Activated(node.activation, z));
  }

  static torch::Tensor Activated(const Activation& activation, const torch::Tensor& x) {
    torch::Tensor y = x.contiguous().clone();
    float* values = y.mutable_data_ptr<float>();
    for (int64_t i = 0; i < y.numel(); ++i) values[i] = Activate(activation, values[i]);
    return y;
  }

  // `x` with the node's padding of what stands for 0 there.
  torch::Tensor Padded(const ArtifactPoint& p, const PlannedNode& node, const torch::Tensor& x) const {
    if (node.padding == 0) return x;
    torch::Tensor zero = torch::zeros({1, x.size(1), 1, 1}, torch::kFloat32);
    if (node.input == kNetworkInput) {
      for (size_t c = 0; c < plan_.padding_code.size(); ++c) {
        const auto channel = static_cast<int64_t>(c);
        zero[0][channel] = p.full_precision ? plan_.padding_code[c] : static_cast<float>(InputPadding(plan_, channel));
      }
      zero = InPrecisionOf(p, zero);
    } else if (!p.full_precision) {
      zero += static_cast<float>(ZeroCodeOf(plan_, p, node.input));
    }
    const int64_t side = node.padding, height = x.size(2), width = x.size(3);
    torch::Tensor padded = zero.expand({x.size(0), x.size(1), height + 2 * side, width + 2 * side}).clone();
    padded.slice(2, side, side + height).slice(3, side, side + width).copy_(x);
    return padded;
  }

  torch::Tensor ComputeGate(PointId point, const PlannedNode& node, const torch::Tensor& x,
                            const torch::Tensor& factors) const {
    const ArtifactPoint& p = artifact_.points[ToIndex(point)];
    if (p.full_precision) return InPrecisionOf(p, x * factors);
    const GateEpilogue& gate = p.gates[node.gate];
    const torch::Tensor products =
        ((x - ZeroCodeOf(plan_, p, node.input)) * (factors - ZeroCodeOf(plan_, p, node.residual)))
            .to(torch::kInt32)
            .contiguous();
    torch::Tensor codes = torch::empty(products.sizes(), torch::kFloat32);
    const int32_t* in = products.const_data_ptr<int32_t>();
    float* out = codes.mutable_data_ptr<float>();
    for (int64_t i = 0; i < products.numel(); ++i) {
      out[i] = RequantizeProduct(in[i], gate.scale, gate.zero_code, gate.highest_code);
    }
    return codes;
  }

  torch::Tensor ComputeHead(PointId point, const PlannedNode& node, const torch::Tensor& x) const {
    const ArtifactPoint& p = artifact_.points[ToIndex(point)];
    const LayerEpilogue& layer = p.layers[node.layer];
    const torch::Tensor& w = weights_[ToIndex(point)][node.layer];
    const torch::Tensor flat = x.permute({0, 2, 3, 1}).reshape({x.size(0), -1});
    const torch::Tensor inputs = p.full_precision ? InPrecisionOf(p, flat) : flat;
    const torch::Tensor sums = torch::matmul(inputs.to(w.scalar_type()), w.t());
    if (p.full_precision) return sums * Floats(layer.scale) + Floats(layer.bias);
    const torch::Tensor acc = sums.to(torch::kInt64).contiguous();
    torch::Tensor logits = torch::empty(acc.sizes(), torch::kFloat32);
    const int64_t* in = acc.const_data_ptr<int64_t>();
    float* out = logits.mutable_data_ptr<float>();
    const int64_t classes = acc.size(1);
    for (int64_t i = 0; i < acc.numel(); ++i) {
      out[i] = Dequantize(in[i], layer.scale[i % classes], layer.bias[i % classes]);
    }
    return logits;
  }

  torch::Tensor Compute(PointId point, std::span<const uint8_t> input, int64_t rows, LayerTrace* trace) const {
    const FeatureShape& shape = plan_.input;
    const torch::Tensor images =
        torch::from_blob(const_cast<uint8_t*>(input.data()),
                         {rows * plan_.frames, shape.height, shape.width, shape.channels}, torch::kUInt8)
            .to(torch::kFloat32)
            .permute({0, 3, 1, 2});
    std::vector<torch::Tensor> values(plan_.nodes.size());
    const auto value = [&](int index) -> const torch::Tensor& {
      return index == kNetworkInput ? images : values[index];
    };
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlannedNode& node = plan_.nodes[i];
      const torch::Tensor& x = value(node.input);
      switch (node.kind) {
        case NodeKind::kConv:
          values[i] = ComputeConv(point, node, x, node.has_residual ? &value(node.residual) : nullptr);
          break;
        case NodeKind::kGate: values[i] = ComputeGate(point, node, x, value(node.residual)); break;
        case NodeKind::kMaxPool: values[i] = torch::max_pool2d(x, node.pool, node.stride, node.padding); break;
        case NodeKind::kGlobalPool: values[i] = GlobalSums(node, x, rows); break;
        case NodeKind::kLinear: values[i] = ComputeHead(point, node, x); break;
      }
      if (trace != nullptr) trace->push_back({node.name, TraceCodes(node, values[i])});
    }
    return values.back();
  }

  static std::vector<int32_t> TraceCodes(const PlannedNode& node, const torch::Tensor& value) {
    if (node.kind == NodeKind::kLinear) return {};
    const torch::Tensor codes = value.permute({0, 2, 3, 1}).contiguous().to(torch::kInt32);
    return std::vector<int32_t>(codes.const_data_ptr<int32_t>(), codes.const_data_ptr<int32_t>() + codes.numel());
  }

  const Artifact artifact_;
  const NetworkPlan plan_;
  const NetworkDescription description_;
  std::vector<std::vector<torch::Tensor>> weights_;  // [point][layer]
};

}  // namespace

absl::StatusOr<std::unique_ptr<TorchNetwork>> TorchNetwork::Create(Artifact artifact) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  std::unique_ptr<TorchNetwork> network;
  absl::Status status = Stopped([&] { network = std::make_unique<TorchNetworkImpl>(std::move(artifact)); });
  if (!status.ok()) return status;
  return network;
}

}  // namespace anybit::model
