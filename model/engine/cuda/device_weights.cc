#include "model/engine/cuda/device_weights.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "model/format/bfloat16.h"
#include "model/format/code_range.h"
#include "model/format/zero_points.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/item_bodies.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {
namespace {

// Bytes that one copy to the device takes through host memory that it reaches.
constexpr int64_t kStagingBytes = int64_t{4} << 20;

int64_t Aligned(int64_t bytes) { return RoundUpTo(bytes, kDeviceAlignment); }

int HighestInput(const Artifact& artifact, const NetworkPlan& plan, int point, int node) {
  if (node == kNetworkInput) return 255;
  const PlannedNode& planned = plan.nodes[node];
  if (planned.kind == NodeKind::kMaxPool) return HighestInput(artifact, plan, point, planned.input);
  if (planned.kind == NodeKind::kGate) return artifact.points[point].gates[planned.gate].highest_code;
  return artifact.points[point].layers[planned.layer].highest_code;
}

Codes CodesOf(const CodeRange& range) {
  return {.step = range.step, .lo = range.lo, .hi = range.hi, .sign = range.sign};
}

// Sets what depends on the weights themselves.
void BoundWeights(const LayerStore& store, const CodeRange& range, const PlannedNode& node, ConvProblem& problem) {
  problem.largest_weight = 0;
  problem.largest_sum = 0;
  for (int64_t o = 0; o < node.out.channels; ++o) {
    int64_t sum = 0;
    for (int64_t d = 0; d < node.depth; ++d) {
      const int size = std::abs(ChildCode(store.q8[o * node.depth + d], range));
      problem.largest_weight = std::max(problem.largest_weight, size);
      sum += size;
    }
    problem.largest_sum = std::max(problem.largest_sum, sum * problem.highest_input);
  }
}

ConvProblem ProblemOf(const Artifact& artifact, const NetworkPlan& plan, const MapLayout& layout, int point,
                      int layer) {
  const PlannedNode& node = plan.layer(layer);
  ConvProblem problem;
  if (!HasPanel(node)) return problem;
  // That is there before the convolution.
  const int border = PadsWithValues(plan, artifact.points[point], node) ? node.padding : 0;
  problem.geometry = {.in_height = static_cast<int>(node.in.height) + 2 * border,
                      .in_width = static_cast<int>(node.in.width) + 2 * border,
                      .in_channels = static_cast<int>(node.in.channels),
                      .kernel = node.kernel,
                      .stride = node.stride,
                      .padding = node.padding - border,
                      .out_height = static_cast<int>(node.out.height),
                      .out_width = static_cast<int>(node.out.width),
                      .outputs = static_cast<int>(node.out.channels),
                      .out_stored = layout.stored[plan.layers[layer]],
                      .images = 1};
  problem.in_stored = layout.StoredOf(node.input);
  if (node.has_residual) problem.residual_stored = layout.StoredOf(node.residual);
  problem.depthwise = node.depthwise;
  problem.full_precision = artifact.points[point].full_precision;
  problem.bfloat16 = artifact.points[point].is_bfloat16();
  if (problem.full_precision) return problem;
  const CodeRange& range = artifact.points[point].layers[layer].weights;
  problem.codes = CodesOf(range);
  problem.highest_input = HighestInput(artifact, plan, point, node.input);
  BoundWeights(artifact.store[layer], range, node, problem);
  return problem;
}

std::vector<Algorithm> ByGuess(int architecture, const ConvProblem& problem) {
  std::vector<Algorithm> offered;
  for (const Algorithm algorithm : AllAlgorithms()) {
    if (Offers(architecture, algorithm, problem)) offered.push_back(algorithm);
  }
  std::stable_sort(offered.begin(), offered.end(),
                   [&](Algorithm a, Algorithm b) { return GuessedCost(a, problem) < GuessedCost(b, problem); });
  return offered;
}

// Where the parts of the weights' one allocation lie.
struct WeightsLayout {
  std::vector<int64_t> store_at, full_at;
  std::vector<std::vector<int64_t>> epilogue_at, table_at, border_at;
  int64_t bytes = 0;

  WeightsLayout(const Artifact& artifact, const NetworkPlan& plan, const MapLayout& layout) {
    const auto take = [this](int64_t size) { return std::exchange(bytes, bytes + Aligned(size)); };
    const bool full = std::any_of(artifact.points.begin(), artifact.points.end(),
                                  [](const ArtifactPoint& point) { return point.full_precision; });
    for (int index : plan.layers) {
      const int64_t weights = plan.nodes[index].weights();
      store_at.push_back(take(weights));
      full_at.push_back(full ? take(weights * static_cast<int64_t>(sizeof(float))) : -1);
    }
    for (size_t point = 0; point < artifact.points.size(); ++point) {
      std::vector<int64_t>&at = epilogue_at.emplace_back(), &tables = table_at.emplace_back(),
      &borders = border_at.emplace_back();
      for (int index : plan.layers) {
        const PlannedNode& node = plan.nodes[index];
        at.push_back(take(4 * EpilogueBytes(node)));
        tables.push_back(artifact.points[point].layers[node.layer].table.empty() ? -1 : take(kTableCodes));
        const int64_t pixel = layout.StoredOf(node.input) * static_cast<int64_t>(sizeof(float));
        borders.push_back(PadsWithValues(plan, artifact.points[point], node) ? take(pixel) : -1);
      }
    }
  }

  // Of the scales, or of the biases.
  static int64_t EpilogueBytes(const PlannedNode& node) {
    return Aligned(RoundUpTo(node.out.channels, kTileOutputs) * static_cast<int64_t>(sizeof(float)));
  }
};

template <class T>
void Place(const std::vector<T>& values, int64_t at, std::vector<uint8_t>& bytes) {
  if (!values.empty()) std::memcpy(bytes.data() + at, values.data(), values.size() * sizeof(T));
}

// One pixel of the border around what `node` reads. Channels that are stored beyond the map's meet no weights.
void PlaceBorder(const NetworkPlan& plan, const ArtifactPoint& point, const PlannedNode& node, int64_t at,
                 std::vector<uint8_t>& bytes) {
  std::vector<float> values(node.in.channels, 0);
  std::vector<uint8_t> codes(node.in.channels, 0);
  for (int64_t c = 0; c < node.in.channels; ++c) {
    if (node.input != kNetworkInput) {
      if (!point.full_precision) codes[c] = static_cast<uint8_t>(ZeroCodeOf(plan, point, node.input));
      continue;
    }
    codes[c] = static_cast<uint8_t>(InputPadding(plan, c));
    values[c] = point.is_bfloat16() ? RoundToBfloat16(plan.padding_code[c]) : plan.padding_code[c];
  }
  if (point.full_precision) {
    Place(values, at, bytes);
  } else {
    Place(codes, at, bytes);
  }
}

}  // namespace

DeviceWeights::DeviceWeights(Device& device, const Artifact& artifact, const NetworkPlan& plan, const MapLayout& layout)
    : device_(device), artifact_(artifact), plan_(plan), layout_(layout) {
  for (int point = 0; point < static_cast<int>(artifact.points.size()); ++point) {
    std::vector<ConvProblem>& of_point = problems_.emplace_back();
    for (int layer = 0; layer < static_cast<int>(plan.layers.size()); ++layer) {
      of_point.push_back(ProblemOf(artifact, plan, layout, point, layer));
    }
  }
}

absl::StatusOr<std::unique_ptr<DeviceWeights>> DeviceWeights::Load(Device& device, const Artifact& artifact,
                                                                   const NetworkPlan& plan, const MapLayout& layout) {
  std::unique_ptr<DeviceWeights> weights(new DeviceWeights(device, artifact, plan, layout));
  if (absl::Status status = weights->CopyWeights(); !status.ok()) return status;
  return weights;
}

absl::Status DeviceWeights::CopyWeights() {
  WeightsLayout layout(artifact_, plan_, layout_);
  std::vector<uint8_t> bytes(layout.bytes);
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    Place(artifact_.store[layer].q8, layout.store_at[layer], bytes);
    if (layout.full_at[layer] >= 0) Place(artifact_.store[layer].full, layout.full_at[layer], bytes);
    for (size_t point = 0; point < artifact_.points.size(); ++point) {
      const LayerEpilogue& epilogue = artifact_.points[point].layers[layer];
      const int64_t at = layout.epilogue_at[point][layer];
      Place(epilogue.scale, at, bytes);
      const int64_t part = WeightsLayout::EpilogueBytes(plan_.layer(layer));
      Place(epilogue.bias, at + part, bytes);
      std::vector<float> pairs;
      for (size_t o = 0; o < epilogue.scale.size(); ++o) {
        pairs.insert(pairs.end(), {epilogue.scale[o], epilogue.bias[o]});
      }
      Place(pairs, at + 2 * part, bytes);
      if (layout.table_at[point][layer] >= 0) Place(epilogue.table, layout.table_at[point][layer], bytes);
      if (layout.border_at[point][layer] >= 0) {
        PlaceBorder(plan_, artifact_.points[point], plan_.layer(layer), layout.border_at[point][layer], bytes);
      }
    }
  }
  store_at_ = std::move(layout.store_at);
  full_at_ = std::move(layout.full_at);
  epilogue_at_ = std::move(layout.epilogue_at);
  table_at_ = std::move(layout.table_at);
  border_at_ = std::move(layout.border_at);

  absl::MutexLock lock(&mutex_);
  absl::StatusOr<std::unique_ptr<DeviceStream>> stream = device_.MakeStream();
  if (!stream.ok()) return stream.status();
  stream_ = *std::move(stream);
  absl::StatusOr<DeviceMemory> memory = DeviceMemory::Allocate(device_, layout.bytes);
  if (!memory.ok()) return memory.status();
  weights_ = *std::move(memory);
  absl::StatusOr<DeviceMemory> staging =
      DeviceMemory::Allocate(device_, std::min(kStagingBytes, layout.bytes), DeviceMemory::Place::kHost);
  if (!staging.ok()) return staging.status();
  for (int64_t at = 0; at < layout.bytes; at += kStagingBytes) {
    const int64_t count = std::min(kStagingBytes, layout.bytes - at);
    std::memcpy(staging->data(), bytes.data() + at, count);
    if (absl::Status status = stream_->CopyIn(weights_.data() + at, staging->data(), count); !status.ok()) {
      return status;
    }
    if (absl::Status status = stream_->Await(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

int64_t DeviceWeights::BytesNeeded(int architecture, const Artifact& artifact, const NetworkPlan& plan,
                                   const MapLayout& layout) {
  int64_t bytes = WeightsLayout(artifact, plan, layout).bytes;
  std::set<PanelKey> counted;
  for (int point = 0; point < static_cast<int>(artifact.points.size()); ++point) {
    for (int layer = 0; layer < static_cast<int>(plan.layers.size()); ++layer) {
      const PlannedNode& node = plan.layer(layer);
      if (!HasPanel(node)) {
        if (!artifact.points[point].full_precision) bytes += Aligned(node.weights());
        continue;
      }
      const ConvProblem problem = ProblemOf(artifact, plan, layout, point, layer);
      const Algorithm guess = ByGuess(architecture, problem).front();
      const PanelKey key{.layer = layer,
                         .algorithm = guess,
                         .step = problem.codes.step,
                         .lo = problem.codes.lo,
                         .hi = problem.codes.hi,
                         .sign = problem.codes.sign,
                         .full_precision = problem.full_precision,
                         .bfloat16 = problem.bfloat16,
                         .highest_input = problem.highest_input};
      if (counted.insert(key).second) bytes += PanelBytes(architecture, guess, problem);
    }
  }
  return bytes;
}

std::vector<Algorithm> DeviceWeights::Algorithms(PointId point, int layer) const {
  return ByGuess(device_.facts().architecture, problem(point, layer));
}

absl::Status DeviceWeights::RunAll(std::span<const KernelCall> calls) {
  for (const KernelCall& call : calls) {
    if (absl::Status status = stream_->Run(call); !status.ok()) return status;
  }
  return stream_->Await();
}

absl::StatusOr<std::shared_ptr<const DevicePanel>> DeviceWeights::MakePanel(PointId point, int layer,
                                                                            Algorithm algorithm) {
  const ConvProblem& of_layer = problem(point, layer);
  const PanelKey key{.layer = layer,
                     .algorithm = algorithm,
                     .step = of_layer.codes.step,
                     .lo = of_layer.codes.lo,
                     .hi = of_layer.codes.hi,
                     .sign = of_layer.codes.sign,
                     .full_precision = of_layer.full_precision,
                     .bfloat16 = of_layer.bfloat16,
                     .highest_input = of_layer.highest_input};
  absl::MutexLock lock(&mutex_);
  if (std::shared_ptr<const DevicePanel> known = panels_[key].lock()) return known;
  const int architecture = device_.facts().architecture;
  absl::StatusOr<DeviceMemory> memory = DeviceMemory::Allocate(device_, PanelBytes(architecture, algorithm, of_layer));
  if (!memory.ok()) return memory.status();
  const auto* store = reinterpret_cast<const int8_t*>(weights_.data() + store_at_[layer]);
  const std::vector<KernelCall> calls =
      PanelCalls(architecture, algorithm, of_layer, store, full(layer), memory->data());
  if (absl::Status status = RunAll(calls); !status.ok()) return status;
  auto panel = std::make_shared<DevicePanel>();
  panel->algorithm = algorithm;
  panel->memory = *std::move(memory);
  panels_[key] = panel;
  return panel;
}

absl::StatusOr<std::shared_ptr<const DeviceMemory>> DeviceWeights::MakeCodes(PointId point, int layer) {
  const PlannedNode& node = plan_.layer(layer);
  PanelCall call{.kind = PanelKind::kLinear,
                 .codes = CodesOf(artifact_.points[ToIndex(point)].layers[layer].weights),
                 .outputs = static_cast<int>(node.out.channels),
                 .channels = static_cast<int>(node.depth)};
  call.items = PanelItems(call);
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<DeviceMemory> memory = DeviceMemory::Allocate(device_, Aligned(call.items));
  if (!memory.ok()) return memory.status();
  call.store = reinterpret_cast<const int8_t*>(weights_.data() + store_at_[layer]);
  call.out = memory->data();
  const KernelCall calls[] = {call};
  if (absl::Status status = RunAll(calls); !status.ok()) return status;
  return std::make_shared<const DeviceMemory>(*std::move(memory));
}

absl::StatusOr<std::shared_ptr<const DevicePoint>> DeviceWeights::MakePoint(PointId point,
                                                                            std::span<AlgorithmNames> choices) {
  auto made = std::make_shared<DevicePoint>();
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    DeviceLayer& device_layer = made->layers.emplace_back();
    if (!HasPanel(plan_.layer(layer))) {
      if (artifact_.points[ToIndex(point)].full_precision) continue;
      absl::StatusOr<std::shared_ptr<const DeviceMemory>> codes = MakeCodes(point, layer);
      if (!codes.ok()) return codes.status();
      device_layer.codes = *std::move(codes);
      continue;
    }
    const std::vector<Algorithm> offered = Algorithms(point, layer);
    for (size_t size = 0; size < kChoiceRows.size(); ++size) {
      std::optional<Algorithm> chosen = AlgorithmByName(choices[layer][size]);
      if (!chosen.has_value() || std::find(offered.begin(), offered.end(), *chosen) == offered.end()) {
        chosen = offered.front();
        choices[layer][size] = NameOf(*chosen);
      }
      absl::StatusOr<std::shared_ptr<const DevicePanel>> panel = MakePanel(point, layer, *chosen);
      if (!panel.ok()) return panel.status();
      device_layer.conv[size] = *std::move(panel);
    }
  }
  return made;
}

const float* DeviceWeights::scale(PointId point, int layer) const {
  return reinterpret_cast<const float*>(weights_.data() + epilogue_at_[ToIndex(point)][layer]);
}

const float* DeviceWeights::bias(PointId point, int layer) const {
  return reinterpret_cast<const float*>(weights_.data() + epilogue_at_[ToIndex(point)][layer] +
                                        WeightsLayout::EpilogueBytes(plan_.layer(layer)));
}

const float* DeviceWeights::scale_and_bias(PointId point, int layer) const {
  return reinterpret_cast<const float*>(weights_.data() + epilogue_at_[ToIndex(point)][layer] +
                                        2 * WeightsLayout::EpilogueBytes(plan_.layer(layer)));
}

const uint8_t* DeviceWeights::table(PointId point, int layer) const {
  const int64_t at = table_at_[ToIndex(point)][layer];
  return at < 0 ? nullptr : weights_.data() + at;
}

const uint32_t* DeviceWeights::border(PointId point, int layer) const {
  const int64_t at = border_at_[ToIndex(point)][layer];
  return at < 0 ? nullptr : reinterpret_cast<const uint32_t*>(weights_.data() + at);
}

const float* DeviceWeights::full(int layer) const {
  if (full_at_[layer] < 0) return nullptr;
  return reinterpret_cast<const float*>(weights_.data() + full_at_[layer]);
}

}  // namespace anybit::model::cuda
