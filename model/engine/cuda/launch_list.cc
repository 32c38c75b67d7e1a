#include "model/engine/cuda/launch_list.h"

#include <algorithm>
#include <utility>

#include "model/format/zero_points.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {
namespace {

// ActivateCall takes the artifact's number.
static_assert(static_cast<int>(PointwiseFunction::kClip) == proto::Activation::CLIP);
static_assert(static_cast<int>(PointwiseFunction::kHardSwish) == proto::Activation::HARD_SWISH);
static_assert(static_cast<int>(PointwiseFunction::kMish) == proto::Activation::MISH);
static_assert(static_cast<int>(PointwiseFunction::kMish) == proto::Activation::Function_MAX);

bool HasFullPrecision(const Artifact& artifact) {
  return std::any_of(artifact.points.begin(), artifact.points.end(),
                     [](const ArtifactPoint& point) { return point.full_precision; });
}

bool IsFull(const LaunchContext& context, PointId point) {
  return context.artifact.points[ToIndex(point)].full_precision;
}

bool IsBfloat16(const LaunchContext& context, PointId point) {
  return context.artifact.points[ToIndex(point)].is_bfloat16();
}

// Of any layer, at any point, with any algorithm.
int64_t LargestWorkspace(const LaunchContext& context, int64_t images) {
  int64_t bytes = 0;
  for (int point = 0; point < static_cast<int>(context.artifact.points.size()); ++point) {
    for (int layer = 0; layer < static_cast<int>(context.plan.layers.size()); ++layer) {
      if (!HasPanel(context.plan.layer(layer))) continue;
      for (const Algorithm algorithm : context.weights.Algorithms(ToPointId(point), layer)) {
        bytes = std::max(bytes, WorkspaceBytes(context.architecture, algorithm,
                                               context.weights.problem(ToPointId(point), layer), images));
      }
    }
  }
  return bytes;
}

const void* MapOf(const LaunchContext& context, int node, const SlotMemory& slot) {
  return node == kNetworkInput ? slot.input : slot.buffers[context.layout.buffers[node]];
}

uint8_t* OutputOf(const LaunchContext& context, int node, const SlotMemory& slot) {
  return slot.buffers[context.layout.buffers[node]];
}

Epilogue EpilogueOf(const LaunchContext& context, PointId point, const PlannedNode& node, const SlotMemory& slot) {
  const LayerEpilogue& layer = context.artifact.points[ToIndex(point)].layers[node.layer];
  Epilogue epilogue{.scale = context.weights.scale(point, node.layer),
                    .bias = context.weights.bias(point, node.layer),
                    .scale_and_bias = context.weights.scale_and_bias(point, node.layer),
                    .highest = static_cast<float>(layer.highest_of_sums()),
                    .relu = node.relu,
                    .bfloat16 = IsBfloat16(context, point)};
  if (node.has_residual) {
    epilogue.residual = MapOf(context, node.residual, slot);
    epilogue.residual_stored = context.layout.StoredOf(node.residual);
    epilogue.residual_scale = layer.residual_scale;
  }
  return epilogue;
}

PadCall PadNodeCall(const LaunchContext& context, PointId point, const PlannedNode& node, int rows,
                    const SlotMemory& slot) {
  const int stored = context.layout.StoredOf(node.input);
  return {.images = rows * node.frames,
          .height = static_cast<int>(node.in.height),
          .width = static_cast<int>(node.in.width),
          .padding = node.padding,
          .pixel_words = IsFull(context, point) ? stored : stored / 4,
          .border = context.weights.border(point, node.layer),
          .in = static_cast<const uint32_t*>(MapOf(context, node.input, slot)),
          .out = reinterpret_cast<uint32_t*>(slot.padded)};
}

std::vector<KernelCall> ConvNodeCalls(const LaunchContext& context, PointId point, const DevicePanel& panel, int index,
                                      int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  std::vector<KernelCall> calls;
  const void* in = MapOf(context, node.input, slot);
  if (PadsWithValues(context.plan, context.artifact.points[ToIndex(point)], node)) {
    calls.emplace_back(PadNodeCall(context, point, node, rows, slot));
    in = slot.padded;
  }
  for (KernelCall& call :
       ConvCalls(context.architecture, panel.algorithm, context.weights.problem(point, node.layer), rows * node.frames,
                 {.in = in,
                 .panel = panel.memory.data(),
                 .full = context.weights.full(node.layer),
                 .epilogue = EpilogueOf(context, point, node, slot),
                 .workspace = slot.workspace,
                 .out = OutputOf(context, index, slot)})) {
    calls.push_back(std::move(call));
  }
  return calls;
}

// Where the node has an activation that the epilogue has not applied.
void AddActivation(const LaunchContext& context, PointId point, int index, int rows, const SlotMemory& slot,
                   std::vector<KernelCall>& calls) {
  const PlannedNode& node = context.plan.nodes[index];
  const bool full = IsFull(context, point);
  if (full ? node.activation.is_none() : !node.activation.is_tabled()) return;
  calls.emplace_back(ActivateCall{.pixels = rows * node.frames * node.out.height * node.out.width,
                                  .channels = static_cast<int>(node.out.channels),
                                  .stored = context.layout.stored[index],
                                  .table = context.weights.table(point, node.layer),
                                  .function = static_cast<PointwiseFunction>(node.activation.function),
                                  .alpha = node.activation.alpha,
                                  .beta = node.activation.beta,
                                  .bfloat16 = IsBfloat16(context, point),
                                  .map = OutputOf(context, index, slot)});
}

KernelCall GateNodeCall(const LaunchContext& context, PointId point, int index, int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  const ArtifactPoint& of = context.artifact.points[ToIndex(point)];
  GateCall call{.images = rows,
                .pixels = node.out.height * node.out.width,
                .channels = static_cast<int>(node.out.channels),
                .stored = context.layout.stored[index],
                .factors_stored = context.layout.StoredOf(node.residual),
                .floats = of.full_precision,
                .bfloat16 = of.is_bfloat16(),
                .in = MapOf(context, node.input, slot),
                .factors = MapOf(context, node.residual, slot),
                .out = OutputOf(context, index, slot)};
  if (of.full_precision) return call;
  const GateEpilogue& gate = of.gates[node.gate];
  call.scale = gate.scale;
  call.in_zero = static_cast<int>(ZeroCodeOf(context.plan, of, node.input));
  call.factor_zero = static_cast<int>(ZeroCodeOf(context.plan, of, node.residual));
  call.out_zero = gate.zero_code;
  call.highest = gate.highest_code;
  return call;
}

KernelCall MaxPoolNodeCall(const LaunchContext& context, PointId point, int index, int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  return MaxPoolCall{.geometry = {.in_height = static_cast<int>(node.in.height),
                                  .in_width = static_cast<int>(node.in.width),
                                  .in_channels = static_cast<int>(node.in.channels),
                                  .kernel = node.pool,
                                  .stride = node.stride,
                                  .padding = node.padding,
                                  .out_height = static_cast<int>(node.out.height),
                                  .out_width = static_cast<int>(node.out.width),
                                  .outputs = static_cast<int>(node.out.channels),
                                  .out_stored = context.layout.stored[index],
                                  .images = rows * node.frames},
                     .floats = IsFull(context, point),
                     .in = static_cast<const uint32_t*>(MapOf(context, node.input, slot)),
                     .out = reinterpret_cast<uint32_t*>(OutputOf(context, index, slot))};
}

GatherCall GatherNodeCall(const LaunchContext& context, PointId point, const PlannedNode& node, int rows,
                          const SlotMemory& slot) {
  const PlannedNode* pool = context.plan.PoolReadBy(node);
  const FeatureShape& shape = pool == nullptr ? node.in : pool->in;
  const int source = context.plan.SourceOf(node);
  return {.rows = rows,
          .pixels = pool == nullptr ? shape.height * shape.width : pool->pooled(),
          .channels = static_cast<int>(shape.channels),
          .stored = context.layout.StoredOf(source),
          .sum = pool != nullptr,
          .floats = IsFull(context, point),
          .bfloat16 = IsBfloat16(context, point),
          .in = MapOf(context, source, slot),
          .out = slot.gathered};
}

// The weights that it multiplies what GatherNodeCall gives by.
const void* GatheredWeights(const LaunchContext& context, PointId point, const DeviceLayer& layer,
                            const PlannedNode& node) {
  if (IsFull(context, point)) return context.weights.full(node.layer);
  return layer.codes->data();
}

std::vector<KernelCall> SumsConvNodeCalls(const LaunchContext& context, PointId point, const DeviceLayer& layer,
                                          int index, int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  return {GatherNodeCall(context, point, node, rows, slot),
          SumsConvCall{.rows = rows,
                       .depth = node.depth,
                       .outputs = static_cast<int>(node.out.channels),
                       .out_stored = context.layout.stored[index],
                       .floats = IsFull(context, point),
                       .in = slot.gathered,
                       .weights = GatheredWeights(context, point, layer, node),
                       .epilogue = EpilogueOf(context, point, node, slot),
                       .out = OutputOf(context, index, slot)}};
}

std::vector<KernelCall> LinearNodeCalls(const LaunchContext& context, PointId point, const DeviceLayer& layer,
                                        const PlannedNode& node, int rows, const SlotMemory& slot) {
  const LinearCall linear{.rows = rows,
                          .depth = node.depth,
                          .outputs = static_cast<int>(node.out.channels),
                          .floats = IsFull(context, point),
                          .in = slot.gathered,
                          .weights = GatheredWeights(context, point, layer, node),
                          .bfloat16 = IsBfloat16(context, point),
                          .scale = context.weights.scale(point, node.layer),
                          .bias = context.weights.bias(point, node.layer),
                          .out = reinterpret_cast<float*>(slot.logits)};
  return {GatherNodeCall(context, point, node, rows, slot), linear};
}

}  // namespace

int64_t MostGathered(const NetworkPlan& plan) {
  int64_t most = 0;
  for (int layer : plan.layers) {
    if (!HasPanel(plan.nodes[layer])) most = std::max(most, plan.nodes[layer].depth);
  }
  return most;
}

std::vector<int64_t> SlotBytes(const LaunchContext& context, int rows) {
  const int64_t images = rows * context.plan.frames;
  const int64_t value = HasFullPrecision(context.artifact) ? sizeof(float) : 1;
  const int64_t image_pixels = context.plan.input.height * context.plan.input.width;
  std::vector<int64_t> bytes = {rows * context.plan.input_elements(),
                                images * image_pixels * context.layout.input_stored * value};
  for (int64_t elements : context.layout.elements) bytes.push_back(images * elements * value);
  bytes.push_back(images * context.layout.padded_elements * value);
  bytes.push_back(LargestWorkspace(context, images));
  bytes.push_back(rows * MostGathered(context.plan) * static_cast<int64_t>(sizeof(float)));
  bytes.push_back(rows * context.plan.classes() * static_cast<int64_t>(sizeof(float)));
  for (int64_t& each : bytes) each = RoundUpTo(each, kDeviceAlignment);
  return bytes;
}

SlotMemory SlotMemoryAt(const LaunchContext& context, int rows, uint8_t* memory) {
  const std::vector<int64_t> bytes = SlotBytes(context, rows);
  size_t part = 0;
  const auto take = [&] {
    uint8_t* const at = memory;
    memory += bytes[part++];
    return at;
  };
  SlotMemory slot;
  slot.dense_input = take();
  slot.input = take();
  for (size_t buffer = 0; buffer < context.layout.elements.size(); ++buffer) slot.buffers.push_back(take());
  slot.padded = take();
  slot.workspace = take();
  slot.gathered = take();
  slot.logits = take();
  return slot;
}

std::vector<KernelCall> InputCalls(const LaunchContext& context, PointId point, int rows, const SlotMemory& slot) {
  return {CopyInputCall{.pixels = rows * context.plan.frames * context.plan.input.height * context.plan.input.width,
                        .channels = static_cast<int>(context.plan.input.channels),
                        .stored = context.layout.input_stored,
                        .floats = IsFull(context, point),
                        .in = slot.dense_input,
                        .out = slot.input}};
}

std::vector<KernelCall> NodeCalls(const LaunchContext& context, PointId point, const DeviceLayer* layer,
                                  const DevicePanel* panel, int index, int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  switch (node.kind) {
    case NodeKind::kConv: {
      std::vector<KernelCall> calls = node.of_sums ? SumsConvNodeCalls(context, point, *layer, index, rows, slot)
                                                   : ConvNodeCalls(context, point, *panel, index, rows, slot);
      AddActivation(context, point, index, rows, slot, calls);
      return calls;
    }
    case NodeKind::kMaxPool: return {MaxPoolNodeCall(context, point, index, rows, slot)};
    case NodeKind::kGlobalPool: return {};  // its readers compute the sums
    case NodeKind::kLinear: return LinearNodeCalls(context, point, *layer, node, rows, slot);
    case NodeKind::kGate: return {GateNodeCall(context, point, index, rows, slot)};
  }
  return {};
}

}  // namespace anybit::model::cuda
