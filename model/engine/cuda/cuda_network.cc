#include "model/engine/cuda/cuda_network.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/engine/choice_table.h"
#include "model/engine/cuda/device_weights.h"
#include "model/engine/cuda/launch_list.h"
#include "model/engine/cuda/map_layout.h"
#include "model/engine/cuda/point_trials.h"
#include "model/engine/cuda/slot.h"
#include "model/engine/kernel_tuner.h"

namespace anybit::model::cuda {
namespace {

using std::chrono::nanoseconds;

// What the driver, its context and graphs take of the device beside our own memory.
constexpr int64_t kReservedBytes = int64_t{384} << 20;
constexpr int kMaxSlots = 256;
constexpr int kMaxRows = 1 << 16;

ChoiceTable::Names NamesOf(const Artifact& artifact, const NetworkPlan& plan, const DeviceFacts& facts) {
  // Choices hold for one device, architecture and driver.
  ChoiceTable::Names names{
      .isa = absl::StrCat("cuda sm_", facts.architecture, ", ", facts.name, ", driver for CUDA ", facts.driver),
      .is_algorithm = [](absl::string_view name) {
        return AlgorithmByName(std::string_view(name.data(), name.size())).has_value();
      }};
  for (const ArtifactPoint& point : artifact.points) names.points.push_back(point.info.name);
  for (int node : plan.layers) {
    names.layers.push_back(HasPanel(plan.nodes[node]) ? plan.nodes[node].name : "");
  }
  return names;
}

double MiB(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class CudaNetworkImpl : public CudaNetwork {
 public:
  CudaNetworkImpl(Artifact artifact, Device& device, const DeviceMonitor* monitor)
      : device_(device),
        monitor_(monitor),
        artifact_(std::move(artifact)),
        plan_(*PlanNetwork(artifact_.spec)),
        layout_(LayOutMaps(plan_)),
        description_(Describe(artifact_)),
        choices_(NamesOf(artifact_, plan_, device.facts())) {}

  // Once, before anything else.
  absl::Status Load(const CudaNetworkOptions& options);

  const NetworkDescription& description() const override { return description_; }
  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override;
  absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                   Scratch& scratch) const override;
  absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const override;
  absl::Status Health() const override {
    absl::MutexLock lock(&mutex_);
    return lost_;
  }
  std::optional<DeviceReading> ReadDevice() const override {
    if (monitor_ == nullptr) return std::nullopt;
    return monitor_->Read();
  }
  KernelChoices choices() const override { return choices_.choices(); }
  absl::Status SetChoices(const KernelChoices& choices) override;
  void MeasureChoices(int max_rows, nanoseconds budget, const MonotonicClock& now, std::stop_token stop) override;

 private:
  class CudaScratch;

  absl::Status CheckMemory(const CudaNetworkOptions& options) const;
  std::shared_ptr<const DevicePoint> PanelsOf(PointId point) const {
    absl::MutexLock lock(&mutex_);
    return panels_[ToIndex(point)];
  }
  // Derives the panels of `point` for `names` and, if that succeeds, runs with them from now on.
  absl::Status SetPoint(PointId point, std::vector<AlgorithmNames> names);
  absl::Status MeasurePoint(PointId point, int max_rows, nanoseconds end, const MonotonicClock& now, Slot& slot,
                            const std::stop_token& stop);

  // `status`, as what a run returns. Any error but of memory means that the device is lost.
  absl::Status Failed(const absl::Status& status) const;

  Device& device_;
  const DeviceMonitor* const monitor_;
  const Artifact artifact_;
  const NetworkPlan plan_;
  const MapLayout layout_;
  const NetworkDescription description_;
  std::unique_ptr<DeviceWeights> weights_;  // from Load on
  std::unique_ptr<const LaunchContext> context_;
  ChoiceTable choices_;  // synchronizes itself

  mutable absl::Mutex mutex_;
  std::vector<std::shared_ptr<const DevicePoint>> panels_ ABSL_GUARDED_BY(mutex_);  // by point
  mutable absl::Status lost_ ABSL_GUARDED_BY(mutex_);
};

// A slot, or the reason why there is none.
class CudaNetworkImpl::CudaScratch : public AdaptiveNetwork::Scratch {
 public:
  explicit CudaScratch(absl::StatusOr<std::unique_ptr<Slot>> slot) : slot(std::move(slot)) {}
  const absl::StatusOr<std::unique_ptr<Slot>> slot;
};

absl::Status CudaNetworkImpl::CheckMemory(const CudaNetworkOptions& options) const {
  const absl::StatusOr<int64_t> free = device_.FreeBytes();
  if (!free.ok()) return free.status();
  const int architecture = device_.facts().architecture;
  const int64_t weights = DeviceWeights::BytesNeeded(architecture, artifact_, plan_, layout_);
  // Workspaces are known once the layers are; the largest map that a layer reads bounds them, packed into bytes or, of
  // floats, into bfloat16 numbers.
  const int64_t images = options.max_rows * plan_.frames;
  const bool full = std::any_of(artifact_.points.begin(), artifact_.points.end(),
                                [](const ArtifactPoint& point) { return point.full_precision; });
  const bool packs_floats =
      HasBfloat16(architecture) && std::any_of(artifact_.points.begin(), artifact_.points.end(),
                                               [](const ArtifactPoint& point) { return point.is_bfloat16(); });
  const int64_t value = full ? 4 : 1, packed = packs_floats ? 2 : 1;
  int64_t elements = plan_.input.height * plan_.input.width * layout_.input_stored;
  int64_t largest = elements;
  for (int64_t of_buffer : layout_.elements) {
    elements += of_buffer;
    largest = std::max(largest, of_buffer);
  }
  elements += layout_.padded_elements;
  largest = std::max(largest, layout_.padded_elements);
  const int64_t slot = images * (elements * value + largest * packed) +
                       options.max_rows * (plan_.input_elements() + MostGathered(plan_) * 4 + plan_.classes() * 4);
  const int64_t needed = weights + options.slots * slot;
  const int64_t available = std::max<int64_t>(*free - kReservedBytes, 0);
  const int64_t limit = options.memory_budget == 0 ? available : std::min(options.memory_budget, available);
  if (needed <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the network needs ", MiB(needed), " MiB of ", device_.facts().name,
                                                   ": ", MiB(weights), " of weights and ", MiB(slot), " for each of ",
                                                   options.slots, " slots of ", options.max_rows, " rows; it may take ",
                                                   MiB(limit), " MiB (", MiB(*free), " are free)"));
}

absl::Status CudaNetworkImpl::Load(const CudaNetworkOptions& options) {
  if (absl::Status status = CheckMemory(options); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<DeviceWeights>> weights = DeviceWeights::Load(device_, artifact_, plan_, layout_);
  if (!weights.ok()) return weights.status();
  weights_ = *std::move(weights);
  context_ = std::make_unique<const LaunchContext>(
      LaunchContext{artifact_, plan_, layout_, *weights_, device_.facts().architecture});
  {
    absl::MutexLock lock(&mutex_);
    panels_.resize(artifact_.points.size());
  }
  for (int point = 0; point < static_cast<int>(artifact_.points.size()); ++point) {
    if (absl::Status status = SetPoint(ToPointId(point), choices_.At(ToPointId(point))); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CudaNetworkImpl::SetPoint(PointId point, std::vector<AlgorithmNames> names) {
  absl::StatusOr<std::shared_ptr<const DevicePoint>> made = weights_->MakePoint(point, names);
  if (!made.ok()) return made.status();
  choices_.SetAt(point, std::move(names));
  absl::MutexLock lock(&mutex_);
  panels_[ToIndex(point)] = *std::move(made);
  return absl::OkStatus();
}

std::unique_ptr<AdaptiveNetwork::Scratch> CudaNetworkImpl::MakeScratch(int max_rows) const {
  if (absl::Status health = Health(); !health.ok()) return std::make_unique<CudaScratch>(health);
  absl::StatusOr<std::unique_ptr<Slot>> slot = Slot::Create(*context_, device_, max_rows);
  if (!slot.ok()) return std::make_unique<CudaScratch>(Failed(slot.status()));
  // All graphs now: a run then allocates nothing.
  const size_t buckets = BatchBuckets(max_rows).size();
  for (int point = 0; point < static_cast<int>(artifact_.points.size()); ++point) {
    for (size_t bucket = 0; bucket < buckets; ++bucket) {
      absl::Status status = (*slot)->Record(ToPointId(point), PanelsOf(ToPointId(point)), bucket);
      if (!status.ok()) return std::make_unique<CudaScratch>(Failed(status));
    }
  }
  return std::make_unique<CudaScratch>(std::move(slot));
}

absl::Status CudaNetworkImpl::Failed(const absl::Status& status) const {
  absl::Status failure = absl::InternalError(absl::StrCat(device_.facts().name, ": ", status.message()));
  if (!absl::IsResourceExhausted(status)) {
    absl::MutexLock lock(&mutex_);
    lost_.Update(failure);
  }
  return failure;
}

absl::Status CudaNetworkImpl::Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                                  Scratch& scratch) const {
  const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), output.size());
  if (!rows.ok()) return rows.status();
  if (absl::Status health = Health(); !health.ok()) return health;
  const auto& made = static_cast<CudaScratch&>(scratch).slot;
  if (!made.ok()) return made.status();
  Slot& slot = **made;
  if (*rows > slot.max_rows()) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", *rows, " exceeds the scratch's ", slot.max_rows()));
  }
  std::memcpy(slot.input(), input.data(), input.size());
  if (absl::Status status = slot.Run(point, PanelsOf(point), static_cast<int>(*rows)); !status.ok()) {
    return Failed(status);
  }
  std::copy_n(slot.output(), output.size(), output.data());
  return absl::OkStatus();
}

absl::StatusOr<LayerTrace> CudaNetworkImpl::Trace(PointId point, std::span<const uint8_t> input) const {
  const int64_t count = static_cast<int64_t>(input.size()) / plan_.input_elements();
  const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), count * plan_.classes());
  if (!rows.ok()) return rows.status();
  absl::StatusOr<std::unique_ptr<Slot>> slot = Slot::Create(*context_, device_, static_cast<int>(*rows));
  if (!slot.ok()) return Failed(slot.status());
  std::memcpy((*slot)->input(), input.data(), input.size());
  LayerTrace trace;
  const auto record = [&](int index) -> absl::Status {
    const PlannedNode& node = plan_.nodes[index];
    NodeTrace& out = trace.emplace_back();
    out.node = node.name;
    if (node.kind == NodeKind::kLinear) return absl::OkStatus();
    const bool sums = node.kind == NodeKind::kGlobalPool;
    const int source = sums ? node.input : index;
    const FeatureShape& shape = sums ? node.in : node.out;
    const int64_t pixels = *rows * node.frames * shape.height * shape.width;
    const int64_t channels = shape.channels, step = layout_.StoredOf(source);
    absl::StatusOr<DeviceMemory> host = DeviceMemory::Allocate(device_, pixels * step, DeviceMemory::Place::kHost);
    if (!host.ok()) return host.status();
    DeviceStream& stream = (*slot)->stream();
    const SlotMemory& memory = (*slot)->memory();
    const uint8_t* map = source == kNetworkInput ? memory.input : memory.buffers[layout_.buffers[source]];
    if (absl::Status status = stream.CopyOut(host->data(), map, pixels * step); !status.ok()) return status;
    if (absl::Status status = stream.Await(); !status.ok()) return status;
    out.codes.assign(sums ? *rows * channels : pixels * channels, 0);
    for (int64_t i = 0; i < pixels * channels; ++i) {
      const int64_t pixel = i / channels, channel = i % channels;
      out.codes[sums ? pixel / (pixels / *rows) * channels + channel : i] += host->data()[pixel * step + channel];
    }
    return absl::OkStatus();
  };
  absl::Status status = (*slot)->RunNodes(point, *PanelsOf(point), static_cast<int>(*rows), record);
  if (!status.ok()) return Failed(status);
  return trace;
}

absl::Status CudaNetworkImpl::SetChoices(const KernelChoices& choices) {
  if (absl::Status status = choices_.Set(choices); !status.ok()) return status;
  for (int point = 0; point < static_cast<int>(artifact_.points.size()); ++point) {
    if (absl::Status status = SetPoint(ToPointId(point), choices_.At(ToPointId(point))); !status.ok()) {
      return Failed(status);
    }
  }
  return absl::OkStatus();
}

absl::Status CudaNetworkImpl::MeasurePoint(PointId point, int max_rows, nanoseconds end, const MonotonicClock& now,
                                           Slot& slot, const std::stop_token& stop) {
  PointTrials trials(*context_, *weights_, point, PanelsOf(point), slot);
  if (absl::Status status = trials.MakeCandidates(); !status.ok()) return status;
  const std::vector<int> counts = trials.counts();
  const std::vector<ChosenCandidates> chosen = TuneKernels(counts, max_rows, end, now, trials, stop);
  if (!trials.status().ok()) return trials.status();
  if (stop.stop_requested()) return absl::OkStatus();
  std::vector<AlgorithmNames> names(chosen.size());
  for (size_t layer = 0; layer < chosen.size(); ++layer) {
    if (counts[layer] == 0) continue;
    for (size_t size = 0; size < kChoiceRows.size(); ++size) {
      names[layer][size] = trials.name(static_cast<int>(layer), chosen[layer][size]);
    }
  }
  return SetPoint(point, std::move(names));
}

void CudaNetworkImpl::MeasureChoices(int max_rows, nanoseconds budget, const MonotonicClock& now,
                                     std::stop_token stop) {
  const nanoseconds end = now() + budget;
  const int most_rows = std::clamp(max_rows, 1, kChoiceRows.back());
  absl::StatusOr<std::unique_ptr<Slot>> slot = Slot::Create(*context_, device_, most_rows);
  if (!slot.ok()) {
    (void)Failed(slot.status());
    return;
  }
  // Neither constant nor periodic in an image's rows, so that no kernel is favoured.
  uint32_t state = 1;
  for (int64_t i = 0; i < most_rows * plan_.input_elements(); ++i) {
    (*slot)->input()[i] = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  }
  const int points = static_cast<int>(artifact_.points.size());
  for (int point = 0; point < points && now() < end && !stop.stop_requested(); ++point) {
    // Each remaining point gets an equal share of the remaining time.
    const nanoseconds share_end = now() + std::max(nanoseconds(0), end - now()) / (points - point);
    absl::Status status = MeasurePoint(ToPointId(point), most_rows, share_end, now, **slot, stop);
    if (status.ok()) continue;
    (void)Failed(status);
    // Without memory for the candidates the guess stays; a lost device is lost for every point.
    if (!absl::IsResourceExhausted(status)) return;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaNetwork>> CudaNetwork::Create(Artifact artifact, Device& device,
                                                                 const CudaNetworkOptions& options) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (options.slots < 1 || options.slots > kMaxSlots) {
    return absl::InvalidArgumentError(absl::StrCat("slots: ", options.slots, " is not from 1 to ", kMaxSlots));
  }
  if (options.max_rows < 1 || options.max_rows > kMaxRows) {
    return absl::InvalidArgumentError(absl::StrCat("rows: ", options.max_rows, " is not from 1 to ", kMaxRows));
  }
  if (options.memory_budget < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("device memory budget of ", options.memory_budget, " bytes is negative"));
  }
  auto network = std::make_unique<CudaNetworkImpl>(std::move(artifact), device, options.monitor);
  if (absl::Status status = network->Load(options); !status.ok()) return status;
  return network;
}

}  // namespace anybit::model::cuda
