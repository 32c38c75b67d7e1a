#include "model/engine/cuda/launch_list.h"

#include <algorithm>

#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {
namespace {

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
      if (context.plan.layer(layer).kind != NodeKind::kConv) continue;
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

std::vector<KernelCall> ConvNodeCalls(const LaunchContext& context, PointId point, const DevicePanel& panel, int index,
                                      int rows, const SlotMemory& slot) {
  const PlannedNode& node = context.plan.nodes[index];
  const LayerEpilogue& layer = context.artifact.points[ToIndex(point)].layers[node.layer];
  Epilogue epilogue{.scale = context.weights.scale(point, node.layer),
                    .bias = context.weights.bias(point, node.layer),
                    .scale_and_bias = context.weights.scale_and_bias(point, node.layer),
                    .highest = static_cast<float>(layer.highest_code),
                    .relu = node.relu,
                    .bfloat16 = IsBfloat16(context, point)};
  if (node.has_residual) {
    epilogue.residual = MapOf(context, node.residual, slot);
    epilogue.residual_stored = context.layout.StoredOf(node.residual);
    epilogue.residual_scale = layer.residual_scale;
  }
  return ConvCalls(context.architecture, panel.algorithm, context.weights.problem(point, node.layer),
                   rows * node.frames,
                   {.in = MapOf(context, node.input, slot),
                    .panel = panel.memory.data(),
                    .full = context.weights.full(node.layer),
                    .epilogue = epilogue,
                    .workspace = slot.workspace,
                    .out = slot.buffers[context.layout.buffers[index]]});
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
                     .out = reinterpret_cast<uint32_t*>(slot.buffers[context.layout.buffers[index]])};
}

std::vector<KernelCall> LinearNodeCalls(const LaunchContext& context, PointId point, const DeviceLayer& layer,
                                        const PlannedNode& node, int rows, const SlotMemory& slot) {
  const PlannedNode* pool = context.plan.PoolReadBy(node);
  const FeatureShape& shape = pool == nullptr ? node.in : pool->in;
  const int source = context.plan.SourceOf(node);
  const bool floats = IsFull(context, point);
  const GatherCall gather{.rows = rows,
                          .pixels = pool == nullptr ? shape.height * shape.width : pool->pooled(),
                          .channels = static_cast<int>(shape.channels),
                          .stored = context.layout.StoredOf(source),
                          .sum = pool != nullptr,
                          .floats = floats,
                          .bfloat16 = IsBfloat16(context, point),
                          .in = MapOf(context, source, slot),
                          .out = slot.gathered};
  const LinearCall linear{
      .rows = rows,
      .depth = node.depth,
      .outputs = static_cast<int>(node.out.channels),
      .floats = floats,
      .in = slot.gathered,
      .weights = floats ? static_cast<const void*>(context.weights.full(node.layer)) : layer.linear_codes->data(),
      .bfloat16 = IsBfloat16(context, point),
      .scale = context.weights.scale(point, node.layer),
      .bias = context.weights.bias(point, node.layer),
      .out = reinterpret_cast<float*>(slot.logits)};
  return {gather, linear};
}

}  // namespace

std::vector<int64_t> SlotBytes(const LaunchContext& context, int rows) {
  const int64_t images = rows * context.plan.frames;
  const int64_t value = HasFullPrecision(context.artifact) ? sizeof(float) : 1;
  const int64_t image_pixels = context.plan.input.height * context.plan.input.width;
  std::vector<int64_t> bytes = {rows * context.plan.input_elements(),
                                images * image_pixels * context.layout.input_stored * value};
  for (int64_t elements : context.layout.elements) bytes.push_back(images * elements * value);
  bytes.push_back(LargestWorkspace(context, images));
  bytes.push_back(rows * context.plan.nodes.back().depth * static_cast<int64_t>(sizeof(float)));
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
    case NodeKind::kConv: return ConvNodeCalls(context, point, *panel, index, rows, slot);
    case NodeKind::kMaxPool: return {MaxPoolNodeCall(context, point, index, rows, slot)};
    case NodeKind::kGlobalPool: return {};  // its only reader, the linear node, computes the sums
    case NodeKind::kLinear: return LinearNodeCalls(context, point, *layer, node, rows, slot);
    case NodeKind::kGate: return {};  // refused by CudaNetwork::Create
  }
  return {};
}

}  // namespace anybit::model::cuda
