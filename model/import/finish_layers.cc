#include "model/import/finish_layers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

constexpr int kMaxKernel = 7;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Whether a linear layer computes the same as `layer`.
bool CanBeLinear(const FloatLayer& layer) {
  if (layer.kind == NodeKind::kLinear) return true;
  return layer.kind == NodeKind::kConv && !layer.is_activated() && layer.residual == kNoLayer && !layer.depthwise &&
         layer.padding == 0 && layer.kernel == layer.in.height && layer.kernel == layer.in.width;
}

// The index of the last layer, a linear one.
absl::StatusOr<int> EndLinear(Lowering& state) {
  const std::string& name = state.graph().outputs[0];
  const FeatureValue* found = state.FeatureOf(name);
  if (found == nullptr) return Refused("the output does not depend on the network's input");
  const FeatureShape map = found->axes.map();
  if (map.height * map.width != 1) {
    return Refused("the output is a map of ", map.height, "x", map.width, " places; accepted: one value per class");
  }
  if (found->layer != kNetworkInput && found->affine.empty() && CanBeLinear(state.layer(*found))) {
    FloatLayer& last = state.layer(*found);
    last.kind = NodeKind::kLinear;
    last.kernel = last.stride = 1;
    return found->layer;
  }
  FloatLayer made{.kind = NodeKind::kLinear, .in = map, .out = map};
  made.weights.assign(static_cast<size_t>(map.channels * map.channels), 0.0f);
  for (int64_t c = 0; c < map.channels; ++c) made.weights[c * map.channels + c] = 1;
  made.scale.assign(static_cast<size_t>(map.channels), 1);
  made.bias.assign(static_cast<size_t>(map.channels), 0);
  const GraphNode output{.name = name, .op = "output"};
  const absl::StatusOr<FeatureValue> last = state.AppendWeighted(output, *found, std::move(made), found->axes);
  if (!last.ok()) return last.status();
  state.layers().sparse.push_back(Describe(output));
  return last->layer;
}

// The layers that `last` needs, each after those that it reads.
std::vector<int> Order(const std::vector<FloatLayer>& layers, int last) {
  std::vector<int> order;
  std::vector<bool> done(layers.size(), false);
  std::vector<int> path = {last};
  while (!path.empty()) {
    const int index = path.back();
    const FloatLayer& layer = layers[index];
    const auto waits = [&](int read) { return read >= 0 && !done[read]; };
    // What is added comes first, so that it may be computed and left.
    if (!done[index] && (waits(layer.residual) || waits(layer.input))) {
      path.push_back(waits(layer.residual) ? layer.residual : layer.input);
      continue;
    }
    if (!done[index]) order.push_back(index);
    done[index] = true;
    path.pop_back();
  }
  return order;
}

// A global pool as a convolution of equal weights, whose codes any layer may read.
absl::Status PoolAsConvolution(bool relu, FloatLayer& pool) {
  if (pool.in.height != pool.in.width || pool.in.height > kMaxKernel) {
    return Refused(pool.origin, ": a mean of ", pool.in.height, "x", pool.in.width,
                   " places that another layer than the last reads; accepted: of square maps of at most ", kMaxKernel,
                   "x", kMaxKernel);
  }
  pool.kind = NodeKind::kConv;
  pool.kernel = static_cast<int>(pool.in.height);
  pool.depthwise = pool.in.channels > 1;
  pool.relu = relu;
  pool.weights.assign(static_cast<size_t>(pool.in.height * pool.in.width * pool.in.channels), 1.0f);
  pool.scale.assign(static_cast<size_t>(pool.in.channels), 1.0 / static_cast<double>(pool.in.height * pool.in.width));
  pool.bias.assign(static_cast<size_t>(pool.in.channels), 0);
  return absl::OkStatus();
}

// Whether `layer` may read a global pool's sums.
bool ReadsSums(const FloatLayer& layer) {
  if (layer.kind == NodeKind::kLinear) return true;
  return layer.kind == NodeKind::kConv && layer.kernel == 1 && layer.stride == 1 && layer.padding == 0 &&
         !layer.depthwise && layer.residual == kNoLayer;
}

// Linear layers are only for the end; global pools for what reads sums.
absl::Status MakeConvolutions(const std::vector<int>& order, Lowering& state) {
  std::vector<FloatLayer>& layers = state.layers().layers;
  const int last = order.back();
  for (const int index : order) {
    if (layers[index].kind == NodeKind::kLinear && index != last) {
      if (absl::Status status = state.AsConvolution(layers[index]); !status.ok()) return status;
    }
    for (const int read : {layers[index].input, layers[index].residual}) {
      if (read < 0 || layers[read].kind != NodeKind::kGlobalPool) continue;
      if (read == layers[index].input && ReadsSums(layers[index])) continue;
      const bool relu = state.IsNonNegative(read);
      if (absl::Status status = PoolAsConvolution(relu, layers[read]); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckReaders(const std::vector<int>& order, Lowering& state) {
  const std::vector<FloatLayer>& layers = state.layers().layers;
  for (const int index : order) {
    const FloatLayer& layer = layers[index];
    if (layer.input == kNetworkInput) continue;
    const FloatLayer& read = layers[layer.input];
    if (layer.kind != NodeKind::kMaxPool || layer.padding == 0 || state.IsNonNegative(layer.input)) continue;
    return Refused(layer.origin, " reads ", read.origin,
                   ", which gives values below 0; accepted: pools without padding read such a layer");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FloatLayers> FinishLayers(Lowering& state) {
  const absl::StatusOr<int> last = EndLinear(state);
  if (!last.ok()) return last.status();
  const std::vector<int> order = Order(state.layers().layers, *last);
  if (absl::Status status = MakeConvolutions(order, state); !status.ok()) return status;
  if (absl::Status status = CheckReaders(order, state); !status.ok()) return status;
  FloatLayers finished = std::move(state.layers());
  std::vector<FloatLayer> layers = std::move(finished.layers);
  std::vector<int> places(layers.size(), kNoLayer);
  finished.layers.clear();
  for (const int index : order) {
    FloatLayer& layer = layers[index];
    if (layer.input >= 0) layer.input = places[layer.input];
    if (layer.residual >= 0) layer.residual = places[layer.residual];
    places[index] = static_cast<int>(finished.layers.size());
    finished.layers.push_back(std::move(layer));
  }
  return finished;
}

}  // namespace anybit::model
