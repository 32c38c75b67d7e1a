#include "model/engine/cuda/slot.h"

#include <algorithm>

namespace anybit::model::cuda {
namespace {

absl::Status RunAll(DeviceStream& stream, const std::vector<KernelCall>& calls) {
  for (const KernelCall& call : calls) {
    if (absl::Status status = stream.Run(call); !status.ok()) return status;
  }
  return absl::OkStatus();
}

std::vector<KernelCall> CallsOf(const LaunchContext& context, PointId point, const DevicePoint& panels, int index,
                                int rows, const SlotMemory& slot) {
  const int layer = context.plan.nodes[index].layer;
  const DeviceLayer* const device_layer = layer < 0 ? nullptr : &panels.layers[layer];
  const DevicePanel* const panel = layer < 0 ? nullptr : device_layer->conv[ChoiceIndex(rows)].get();
  return NodeCalls(context, point, device_layer, panel, index, rows, slot);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Slot>> Slot::Create(const LaunchContext& context, Device& device, int max_rows) {
  std::unique_ptr<Slot> slot(new Slot(context, max_rows));
  absl::StatusOr<std::unique_ptr<DeviceStream>> stream = device.MakeStream();
  if (!stream.ok()) return stream.status();
  slot->stream_ = *std::move(stream);
  const std::vector<int64_t> bytes = SlotBytes(context, max_rows);
  absl::StatusOr<DeviceMemory> memory =
      DeviceMemory::Allocate(device, std::accumulate(bytes.begin(), bytes.end(), int64_t{0}));
  if (!memory.ok()) return memory.status();
  slot->device_memory_ = *std::move(memory);
  slot->memory_ = SlotMemoryAt(context, max_rows, slot->device_memory_.data());
  for (const auto& [part, size] :
       {std::pair(&slot->host_input_, max_rows * context.plan.input_elements()),
        std::pair(&slot->host_output_, max_rows * context.plan.classes() * static_cast<int64_t>(sizeof(float)))}) {
    absl::StatusOr<DeviceMemory> host = DeviceMemory::Allocate(device, size, DeviceMemory::Place::kHost);
    if (!host.ok()) return host.status();
    *part = *std::move(host);
  }
  std::fill_n(slot->input(), max_rows * context.plan.input_elements(), uint8_t{0});
  return slot;
}

absl::Status Slot::Enqueue(DeviceStream& stream, PointId point, const DevicePoint& panels, int rows, bool marks) const {
  absl::Status status = stream.CopyIn(memory_.dense_input, host_input_.data(), rows * context_.plan.input_elements());
  if (!status.ok()) return status;
  status = RunAll(stream, InputCalls(context_, point, rows, memory_));
  if (status.ok() && marks) status = stream.Mark(0);
  for (int index = 0; index < static_cast<int>(context_.plan.nodes.size()) && status.ok(); ++index) {
    status = RunAll(stream, CallsOf(context_, point, panels, index, rows, memory_));
    if (status.ok() && marks) status = stream.Mark(index + 1);
  }
  if (!status.ok()) return status;
  return stream.CopyOut(host_output_.data(), memory_.logits,
                        rows * context_.plan.classes() * static_cast<int64_t>(sizeof(float)));
}

absl::Status Slot::Record(PointId point, const std::shared_ptr<const DevicePoint>& panels, size_t bucket) {
  Recorded& recorded = recorded_[ToIndex(point)][bucket];
  if (recorded.panels == panels) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<DeviceGraph>> graph =
      stream_->Record([&](DeviceStream& stream) { return Enqueue(stream, point, *panels, buckets_[bucket], false); });
  if (!graph.ok()) return graph.status();
  recorded = {.panels = panels, .graph = *std::move(graph)};
  return absl::OkStatus();
}

absl::Status Slot::Run(PointId point, const std::shared_ptr<const DevicePoint>& panels, int rows) {
  const auto bucket = static_cast<size_t>(std::lower_bound(buckets_.begin(), buckets_.end(), rows) - buckets_.begin());
  if (absl::Status status = Record(point, panels, bucket); !status.ok()) return status;
  if (absl::Status status = stream_->RunGraph(*recorded_[ToIndex(point)][bucket].graph); !status.ok()) return status;
  return stream_->Await();
}

absl::Status Slot::RunNodes(PointId point, const DevicePoint& panels, int rows,
                            absl::FunctionRef<absl::Status(int index)> after_node) {
  absl::Status status = stream_->CopyIn(memory_.dense_input, host_input_.data(), rows * context_.plan.input_elements());
  if (status.ok()) status = RunAll(*stream_, InputCalls(context_, point, rows, memory_));
  for (int index = 0; index < static_cast<int>(context_.plan.nodes.size()) && status.ok(); ++index) {
    status = RunAll(*stream_, CallsOf(context_, point, panels, index, rows, memory_));
    if (status.ok()) status = stream_->Await();
    if (status.ok()) status = after_node(index);
  }
  return status;
}

}  // namespace anybit::model::cuda
