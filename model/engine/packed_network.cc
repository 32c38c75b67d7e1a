#include "model/engine/packed_network.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "model/engine/activation_plan.h"
#include "model/format/code_range.h"
#include "model/format/requantize.h"
#include "model/kernels/aligned_buffer.h"
#include "model/kernels/cpu/conv_layer.h"

namespace anybit {
namespace {

constexpr int kSizes = static_cast<int>(kChoiceRows.size());
constexpr int64_t kSlack = 64;  // bytes that a last step may read past a map

// The panels of one layer at one point: a conv's, by size of batch, or a linear layer's codes.
struct LayerPanels {
  std::array<std::shared_ptr<const ConvLayer>, kSizes> conv;
  std::vector<int16_t> codes;
  std::vector<float> floats;
};

// All panels of one point; immutable, shared by the slots that run it.
struct PointPanels {
  std::vector<LayerPanels> layers;
  int64_t bytes = 0;
};

// What a layer runs with at a point, by size of batch; none yet: the first that is exact, by GuessedCost.
using Algorithms = std::array<std::optional<ConvAlgorithm>, kSizes>;

// What one thread works in: sized once, never grown.
struct Part {
  Part(const ActivationPlan& plan, int64_t images, bool with_floats, int64_t workspace_bytes, int64_t pool_elements)
      : input(images * plan.input.image_stride() + kSlack),
        workspace(workspace_bytes),
        pool_sums(pool_elements),
        float_sums(with_floats ? pool_elements : 0) {
    for (int64_t elements : plan.elements) {
      codes.emplace_back(images * elements + kSlack);
      floats.emplace_back(with_floats ? (images * elements + kSlack) * sizeof(float) : 0);
    }
    if (with_floats) float_input = AlignedBuffer((images * plan.input.image_stride() + kSlack) * sizeof(float));
  }

  AlignedBuffer input, float_input;
  std::vector<AlignedBuffer> codes, floats;  // by buffer of the plan
  AlignedBuffer workspace;
  std::vector<int32_t> pool_sums;  // one row's input of the linear node
  std::vector<float> float_sums;
};

// One batch's rows, or one thread's share of them.
struct Rows {
  const PointPanels* panels = nullptr;
  int point = 0;
  const uint8_t* input = nullptr;
  float* output = nullptr;
  int64_t count = 0;
};

// Threads that wait for work, one share each. Run and the destructor: one thread at a time.
class Crew {
 public:
  using Work = std::function<void(int share)>;

  // `work(share)` for shares 1..helpers runs on threads that inherit this one's processors.
  Crew(int helpers, Work work) : work_(std::move(work)), pending_(0) {
    for (int i = 1; i <= helpers; ++i) threads_.emplace_back([this, i] { Loop(i); });
  }

  ~Crew() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
      ++generation_;
    }
    for (std::thread& thread : threads_) thread.join();
  }

  // All shares, share 0 on the calling thread.
  void Run() {
    if (!threads_.empty()) {
      absl::MutexLock lock(&mutex_);
      pending_ = static_cast<int>(threads_.size());
      ++generation_;
    }
    work_(0);
    if (threads_.empty()) return;
    absl::MutexLock lock(&mutex_, absl::Condition(
                                      +[](int* pending) { return *pending == 0; }, &pending_));
  }

 private:
  void Loop(int share) {
    int64_t seen = 0;
    while (true) {
      {
        struct Wait {
          Crew* crew;
          int64_t seen;
        } wait{this, seen};
        absl::MutexLock lock(
            &mutex_,
            absl::Condition(
                +[](Wait* w) ABSL_NO_THREAD_SAFETY_ANALYSIS { return w->crew->generation_ != w->seen; }, &wait));
        seen = generation_;
        if (stopping_) return;
      }
      work_(share);
      absl::MutexLock lock(&mutex_);
      --pending_;
    }
  }

  const Work work_;

  absl::Mutex mutex_;
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  int pending_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

class PackedNetworkImpl : public PackedNetwork {
 public:
  PackedNetworkImpl(Artifact artifact, const KernelTable& kernels, const PackedNetworkOptions& options)
      : kernels_(kernels),
        options_(options),
        artifact_(std::move(artifact)),
        plan_(*PlanNetwork(artifact_.spec)),
        description_(Describe(artifact_)),
        activations_(PlanActivations(plan_)),
        loaded_(artifact_.points.size()),
        algorithms_(artifact_.points.size()) {
    for (const ArtifactPoint& point : artifact_.points) has_full_precision_ |= point.full_precision;
    int64_t elements = activations_.input.image_stride();
    for (int64_t e : activations_.elements) elements += e;
    const int64_t bytes_of_row = plan_.frames * elements * (has_full_precision_ ? 5 : 1);
    rows_at_once_ = static_cast<int>(std::clamp<int64_t>(options_.activation_budget / bytes_of_row, 1, 1 << 20));
    for (std::vector<Algorithms>& layers : algorithms_) layers.resize(plan_.layers.size());
  }

  const NetworkDescription& description() const override { return description_; }

  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override;
  absl::Status Run(int point, std::span<const uint8_t> input, std::span<float> output, Scratch& scratch) const override;
  absl::StatusOr<LayerTrace> Trace(int point, std::span<const uint8_t> input) const override;
  KernelChoices choices() const override;
  absl::Status SetChoices(const KernelChoices& choices) override;
  void MeasureChoices(int max_rows, int64_t budget_ns, const std::function<int64_t()>& now_ns) override;

  int64_t panel_bytes() const override {
    absl::MutexLock lock(&mutex_);
    return loaded_bytes_;
  }

  // One share of a batch. `after_node(node, index)` is called when each has run, unless it is null.
  using AfterNode = std::function<void(const PlannedNode&, int)>;
  void RunRows(const Rows& rows, Part& part, const AfterNode& after_node = nullptr) const;

 private:
  class PackedScratch;

  struct Loaded {
    std::shared_ptr<const PointPanels> panels;
    int64_t last_used = 0;
  };

  // The weights of a conv or linear layer at a point, and what they multiply.
  struct LayerWeights {
    std::vector<int16_t> codes;
    ConvWeights conv;
  };

  // The highest code that the tensor `node` reads can hold at `point`.
  int HighestInput(int point, int index) const {
    if (index == kNetworkInput) return 255;
    const PlannedNode& node = plan_.nodes[index];
    if (node.kind == NodeKind::kMaxPool) return HighestInput(point, node.input);
    return artifact_.points[point].layers[node.layer].highest_code;
  }

  ConvMaps MapsOf(const PlannedNode& node) const {
    ConvMaps maps{
        .in = activations_.map(node.input), .residual = {}, .out = activations_.maps[plan_.layers[node.layer]]};
    if (node.has_residual) maps.residual = activations_.map(node.residual);
    return maps;
  }

  LayerWeights WeightsOf(int point, int layer) const;
  static LayerPanels LinearPanels(LayerWeights weights) {
    LayerPanels panels;
    panels.floats.assign(weights.conv.floats.begin(), weights.conv.floats.end());
    panels.codes = std::move(weights.codes);
    return panels;
  }
  std::shared_ptr<const ConvLayer> Pack(int layer, const LayerWeights& weights, ConvAlgorithm algorithm) const;
  std::shared_ptr<const PointPanels> Load(int point) const;
  void MeasurePoint(int point, int most_rows, int64_t end, const std::function<int64_t()>& now_ns, Rows rows,
                    Part& part);
  std::shared_ptr<const PointPanels> Panels(int point) const;
  void DropLeastRecentlyUsed(int keep) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t WorkspaceBytes() const;
  Part MakePart(int rows) const;

  template <class T>
  void RunNode(const PlannedNode& node, int index, const Rows& rows, Part& part) const;
  template <class T>
  void CopyInput(const Rows& rows, T* to) const;
  void RunLinear(const PlannedNode& node, const Rows& rows, Part& part) const;
  void RunLinearFloats(const PlannedNode& node, const Rows& rows, Part& part) const;
  void Record(const PlannedNode& node, int index, const Rows& rows, Part& part, LayerTrace& trace) const;

  template <class T>
  static T* BufferOf(Part& part, int buffer) {
    if constexpr (sizeof(T) == 1) {
      return part.codes[buffer].as<T>();
    } else {
      return part.floats[buffer].as<T>();
    }
  }

  // The values that node `index` made, or the network's input.
  template <class T>
  const T* Values(Part& part, int index) const {
    if (index != kNetworkInput) return BufferOf<T>(part, activations_.buffers[index]);
    if constexpr (sizeof(T) == 1) {
      return part.input.as<T>();
    } else {
      return part.float_input.as<T>();
    }
  }

  const KernelTable& kernels_;
  const PackedNetworkOptions options_;
  const Artifact artifact_;
  const NetworkPlan plan_;
  const NetworkDescription description_;
  const ActivationPlan activations_;
  bool has_full_precision_ = false;
  int rows_at_once_ = 1;

  mutable absl::Mutex loading_;  // held while panels are packed, so that nobody packs the same ones beside us
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(loading_);
  mutable std::vector<Loaded> loaded_ ABSL_GUARDED_BY(mutex_);  // by point
  mutable int64_t loaded_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::vector<std::vector<Algorithms>> algorithms_ ABSL_GUARDED_BY(mutex_);  // [point][layer]
};

class PackedNetworkImpl::PackedScratch : public AdaptiveNetwork::Scratch {
 public:
  PackedScratch(const PackedNetworkImpl& network, int max_rows)
      : max_rows(max_rows),
        network_(network),
        crew_(std::min(network.options_.threads, max_rows) - 1, [this](int share) { RunShare(share); }) {
    const int threads = std::min(network.options_.threads, max_rows);
    for (int i = 0; i < threads; ++i) {
      parts_.push_back(network.MakePart(std::min((max_rows + threads - 1) / threads, network.rows_at_once_)));
    }
  }

  void Run(const Rows& rows) {
    rows_ = rows;
    shares_ = static_cast<int>(std::min<int64_t>(rows.count, static_cast<int64_t>(parts_.size())));
    if (shares_ == 1) {
      RunShare(0);
    } else {
      crew_.Run();
    }
  }

  const int max_rows;

 private:
  void RunShare(int share) {
    if (share >= shares_) return;
    const int64_t end = rows_.count * (share + 1) / shares_;
    for (int64_t first = rows_.count * share / shares_; first < end; first += network_.rows_at_once_) {
      Rows rows = rows_;
      rows.input += first * network_.plan_.input_elements();
      rows.output += first * network_.plan_.classes();
      rows.count = std::min<int64_t>(network_.rows_at_once_, end - first);
      network_.RunRows(rows, parts_[share]);
    }
  }

  const PackedNetworkImpl& network_;
  std::vector<Part> parts_;  // by thread
  Rows rows_;                // of the running batch: written before the crew wakes, read while it works
  int shares_ = 0;
  Crew crew_;
};

std::unique_ptr<AdaptiveNetwork::Scratch> PackedNetworkImpl::MakeScratch(int max_rows) const {
  return std::make_unique<PackedScratch>(*this, max_rows);
}

absl::Status PackedNetworkImpl::Run(int point, std::span<const uint8_t> input, std::span<float> output,
                                    Scratch& scratch) const {
  auto& s = static_cast<PackedScratch&>(scratch);
  const absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), output.size());
  if (!rows.ok()) return rows.status();
  if (*rows > s.max_rows) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", *rows, " exceeds the scratch's ", s.max_rows));
  }
  const std::shared_ptr<const PointPanels> panels = Panels(point);
  s.Run({.panels = panels.get(), .point = point, .input = input.data(), .output = output.data(), .count = *rows});
  return absl::OkStatus();
}

absl::StatusOr<LayerTrace> PackedNetworkImpl::Trace(int point, std::span<const uint8_t> input) const {
  const int64_t count = static_cast<int64_t>(input.size()) / plan_.input_elements();
  std::vector<float> logits(count * plan_.classes());
  if (absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), logits.size()); !rows.ok()) {
    return rows.status();
  }
  Part part = MakePart(static_cast<int>(count));
  LayerTrace trace;
  const std::shared_ptr<const PointPanels> panels = Panels(point);
  const Rows rows{
      .panels = panels.get(), .point = point, .input = input.data(), .output = logits.data(), .count = count};
  RunRows(rows, part, [&](const PlannedNode& node, int index) { Record(node, index, rows, part, trace); });
  return trace;
}

// ---- Panels

PackedNetworkImpl::LayerWeights PackedNetworkImpl::WeightsOf(int point, int layer) const {
  const PlannedNode& node = plan_.layer(layer);
  const LayerStore& store = artifact_.store[layer];
  const LayerEpilogue& epilogue = artifact_.points[point].layers[layer];
  LayerWeights weights;
  weights.conv = {.scale = epilogue.scale,
                  .bias = epilogue.bias,
                  .residual_scale = epilogue.residual_scale,
                  .highest_output = epilogue.highest_code};
  if (artifact_.points[point].full_precision) {
    weights.conv.floats = store.full;
    return weights;
  }
  for (int8_t q8 : store.q8) weights.codes.push_back(static_cast<int16_t>(ChildCode(q8, epilogue.weights)));
  weights.conv.codes = weights.codes;
  weights.conv.signs = epilogue.weights.sign;
  weights.conv.highest_input = node.kind == NodeKind::kConv ? HighestInput(point, node.input) : 255;
  return weights;
}

std::shared_ptr<const ConvLayer> PackedNetworkImpl::Pack(int layer, const LayerWeights& weights,
                                                         ConvAlgorithm algorithm) const {
  const PlannedNode& node = plan_.layer(layer);
  return PackConv(algorithm, kernels_, node, MapsOf(node), weights.conv);
}

// All algorithms, the one that is guessed to be fastest first.
std::array<ConvAlgorithm, kConvAlgorithms> ByGuessedCost(const KernelTable& kernels, const PlannedNode& node,
                                                         int64_t images) {
  std::array<ConvAlgorithm, kConvAlgorithms> algorithms;
  for (int i = 0; i < kConvAlgorithms; ++i) algorithms[i] = static_cast<ConvAlgorithm>(i);
  const auto cost = [&](ConvAlgorithm a) { return GuessedCost(a, kernels, node, images); };
  std::stable_sort(algorithms.begin(), algorithms.end(), [&](auto a, auto b) { return cost(a) < cost(b); });
  return algorithms;
}

std::shared_ptr<const PointPanels> PackedNetworkImpl::Load(int point) const {
  std::vector<Algorithms> algorithms;
  {
    absl::MutexLock lock(&mutex_);
    algorithms = algorithms_[point];
  }
  auto panels = std::make_shared<PointPanels>();
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    LayerPanels& out = panels->layers.emplace_back();
    LayerWeights weights = WeightsOf(point, layer);
    if (plan_.layer(layer).kind == NodeKind::kLinear) {
      out = LinearPanels(std::move(weights));
      panels->bytes += static_cast<int64_t>(out.codes.size() * sizeof(int16_t) + out.floats.size() * sizeof(float));
      continue;
    }
    // Sizes that share an algorithm share its panel; null where it is not exact.
    std::array<std::optional<std::shared_ptr<const ConvLayer>>, kConvAlgorithms> packed;
    const auto pack = [&](ConvAlgorithm algorithm) {
      auto& conv = packed[static_cast<int>(algorithm)];
      if (!conv.has_value()) conv = Pack(layer, weights, algorithm);
      return *conv;
    };
    for (int size = 0; size < kSizes; ++size) {
      std::optional<ConvAlgorithm>& chosen = algorithms[layer][size];
      if (chosen.has_value()) out.conv[size] = pack(*chosen);
      if (out.conv[size] != nullptr) continue;
      // None is chosen, or one read from a file that is not exact for these weights.
      for (ConvAlgorithm algorithm : ByGuessedCost(kernels_, plan_.layer(layer), kChoiceRows[size] * plan_.frames)) {
        out.conv[size] = pack(algorithm);
        if (out.conv[size] != nullptr) {
          chosen = algorithm;
          break;
        }
      }
    }
    for (const auto& conv : packed) {
      const bool kept = conv.has_value() && std::find(out.conv.begin(), out.conv.end(), *conv) != out.conv.end();
      if (kept && *conv != nullptr) panels->bytes += (*conv)->panel_bytes();
    }
  }
  absl::MutexLock lock(&mutex_);
  algorithms_[point] = std::move(algorithms);
  return panels;
}

std::shared_ptr<const PointPanels> PackedNetworkImpl::Panels(int point) const {
  {
    absl::MutexLock lock(&mutex_);
    loaded_[point].last_used = ++uses_;
    if (loaded_[point].panels != nullptr) return loaded_[point].panels;
  }
  absl::MutexLock loading(&loading_);
  {
    absl::MutexLock lock(&mutex_);
    if (loaded_[point].panels != nullptr) return loaded_[point].panels;
  }
  std::shared_ptr<const PointPanels> panels = Load(point);
  absl::MutexLock lock(&mutex_);
  loaded_[point].panels = panels;
  loaded_bytes_ += panels->bytes;
  DropLeastRecentlyUsed(point);
  return panels;
}

void PackedNetworkImpl::DropLeastRecentlyUsed(int keep) const {
  while (loaded_bytes_ > options_.panel_budget) {
    int oldest = -1;
    for (int p = 0; p < static_cast<int>(loaded_.size()); ++p) {
      if (p == keep || loaded_[p].panels == nullptr) continue;
      if (oldest < 0 || loaded_[p].last_used < loaded_[oldest].last_used) oldest = p;
    }
    if (oldest < 0) return;
    loaded_bytes_ -= loaded_[oldest].panels->bytes;
    loaded_[oldest].panels = nullptr;  // whoever runs it keeps it until then
  }
}

// ---- Choices

KernelChoices PackedNetworkImpl::choices() const {
  KernelChoices choices{.isa = kernels_.name, .layers = {}};
  absl::MutexLock lock(&mutex_);
  for (size_t p = 0; p < algorithms_.size(); ++p) {
    for (size_t layer = 0; layer < plan_.layers.size(); ++layer) {
      if (plan_.layer(static_cast<int>(layer)).kind != NodeKind::kConv) continue;
      const Algorithms& chosen = algorithms_[p][layer];
      if (!chosen[0].has_value()) continue;
      LayerChoice& choice = choices.layers.emplace_back();
      choice.point = artifact_.points[p].info.name;
      choice.node = plan_.layer(static_cast<int>(layer)).name;
      for (int size = 0; size < kSizes; ++size) choice.algorithms[size] = NameOf(*chosen[size]);
    }
  }
  return choices;
}

absl::Status PackedNetworkImpl::SetChoices(const KernelChoices& choices) {
  if (choices.isa != kernels_.name) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel choices are for instruction set '", choices.isa, "', not '", kernels_.name, "'"));
  }
  // From here on nobody else changes choices, by guessing at a point's first use, measuring or setting.
  absl::MutexLock loading(&loading_);
  std::vector<std::vector<Algorithms>> algorithms;
  {
    absl::MutexLock lock(&mutex_);
    algorithms = algorithms_;
  }
  for (const LayerChoice& choice : choices.layers) {
    const auto point = std::find_if(artifact_.points.begin(), artifact_.points.end(),
                                    [&](const ArtifactPoint& p) { return p.info.name == choice.point; });
    const auto layer = std::find_if(plan_.layers.begin(), plan_.layers.end(),
                                    [&](int node) { return plan_.nodes[node].name == choice.node; });
    if (point == artifact_.points.end() || layer == plan_.layers.end() || plan_.nodes[*layer].kind != NodeKind::kConv) {
      return absl::InvalidArgumentError(
          absl::StrCat("kernel choice for point '", choice.point, "', layer '", choice.node, "': no such convolution"));
    }
    const int p = static_cast<int>(point - artifact_.points.begin()),
              l = static_cast<int>(layer - plan_.layers.begin());
    for (int size = 0; size < kSizes; ++size) {
      const std::string& name = choice.algorithms[size];
      const std::optional<ConvAlgorithm> algorithm = ConvAlgorithmByName(name);
      if (!algorithm.has_value()) {
        return absl::InvalidArgumentError(absl::StrCat("kernel choice '", name, "' for point '", choice.point,
                                                       "', layer '", choice.node, "': no such algorithm"));
      }
      algorithms[p][l][size] = *algorithm;
    }
  }
  absl::MutexLock lock(&mutex_);
  algorithms_ = std::move(algorithms);
  for (Loaded& loaded : loaded_) loaded.panels = nullptr;
  loaded_bytes_ = 0;
  return absl::OkStatus();
}

// Each candidate has its turn as often, so that a busy moment of the machine does not fall on one alone; a turn is so
// many runs, of which the first finds the caches as the candidate before left them and does not count.
constexpr int kTurns = 3, kRunsOfTurn = 4;

// The algorithms that are still in the running for one layer, and how long each has taken.
struct Candidates {
  std::vector<ConvAlgorithm> algorithms;
  std::vector<std::shared_ptr<const ConvLayer>> convs;
  std::vector<int64_t> times;  // the least, in nanoseconds

  size_t fastest() const { return std::min_element(times.begin(), times.end()) - times.begin(); }

  // What is far behind for many rows is not first for few either.
  void DropSlow() {
    const int64_t limit = 3 * times[fastest()];
    size_t kept = 0;
    for (size_t i = 0; i < times.size(); ++i) {
      if (times[i] > limit) continue;
      algorithms[kept] = algorithms[i];
      convs[kept++] = convs[i];
    }
    algorithms.resize(kept);
    convs.resize(kept);
  }
};

void PackedNetworkImpl::MeasureChoices(int max_rows, int64_t budget_ns, const std::function<int64_t()>& now_ns) {
  const int64_t end = now_ns() + budget_ns;
  const int rows_of_thread = (max_rows + options_.threads - 1) / options_.threads;
  const int most_rows = std::clamp(std::min(rows_of_thread, rows_at_once_), 1, kChoiceRows.back());
  Part part = MakePart(most_rows);
  // Neither constant nor periodic in an image's rows, so that no kernel is flattered.
  std::vector<uint8_t> images(most_rows * plan_.input_elements());
  uint32_t state = 1;
  for (uint8_t& code : images) code = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  std::vector<float> logits(most_rows * plan_.classes());
  const int points = static_cast<int>(artifact_.points.size());
  for (int point = 0; point < points && now_ns() < end; ++point) {
    // An equal share of what is left for every point that is left.
    const int64_t share_end = now_ns() + std::max<int64_t>(0, end - now_ns()) / (points - point);
    MeasurePoint(point, most_rows, share_end, now_ns, {.input = images.data(), .output = logits.data()}, part);
  }
}

void PackedNetworkImpl::MeasurePoint(int point, int most_rows, int64_t end, const std::function<int64_t()>& now_ns,
                                     Rows rows, Part& part) {
  absl::MutexLock loading(&loading_);  // as in SetChoices
  PointPanels panels;
  std::vector<Candidates> candidates(plan_.layers.size());
  size_t most = 0;
  for (int layer = 0; layer < static_cast<int>(plan_.layers.size()); ++layer) {
    LayerPanels& out = panels.layers.emplace_back();
    LayerWeights weights = WeightsOf(point, layer);
    if (plan_.layer(layer).kind == NodeKind::kLinear) {
      out = LinearPanels(std::move(weights));
      continue;
    }
    for (int a = 0; a < kConvAlgorithms; ++a) {
      const auto algorithm = static_cast<ConvAlgorithm>(a);
      auto conv = Pack(layer, weights, algorithm);
      if (conv == nullptr) continue;
      candidates[layer].algorithms.push_back(algorithm);
      candidates[layer].convs.push_back(std::move(conv));
    }
    most = std::max(most, candidates[layer].convs.size());
  }

  std::vector<Algorithms> chosen;
  {
    absl::MutexLock lock(&mutex_);
    chosen = algorithms_[point];
  }
  // Many rows first, as it is then that time is short, then one; a budget that ends leaves out those between.
  std::vector<int> order = {ChoiceIndex(most_rows)};
  for (int size = 0; size < order.front(); ++size) order.push_back(size);
  std::vector<int> done;
  for (int size : order) {
    if (size == order.front() || now_ns() < end) {
      for (Candidates& c : candidates) c.times.assign(c.convs.size(), std::numeric_limits<int64_t>::max());
      rows.panels = &panels;
      rows.point = point;
      rows.count = kChoiceRows[size];
      // Whole networks, all layers with their next candidate: what a layer finds in the caches is what it will find in
      // service, where every panel is used again by the next batch.
      for (int turn = 0; turn < kTurns; ++turn) {
        for (size_t next = 0; next < most; ++next) {
          for (size_t layer = 0; layer < candidates.size(); ++layer) {
            const auto& convs = candidates[layer].convs;
            if (!convs.empty()) panels.layers[layer].conv[size] = convs[next % convs.size()];
          }
          for (int run = 0; run < kRunsOfTurn; ++run) {
            int64_t last = now_ns();
            RunRows(rows, part, [&](const PlannedNode& node, int) {
              const int64_t now = now_ns();
              if (node.kind == NodeKind::kConv && run > 0) {
                int64_t& least = candidates[node.layer].times[next % candidates[node.layer].convs.size()];
                least = std::min(least, now - last);
              }
              last = now;
            });
          }
        }
        if (now_ns() >= end) break;
      }
      for (size_t layer = 0; layer < candidates.size(); ++layer) {
        Candidates& c = candidates[layer];
        if (c.convs.empty()) continue;
        chosen[layer][size] = c.algorithms[c.fastest()];
        c.DropSlow();
      }
      most = 0;
      for (const Candidates& c : candidates) most = std::max(most, c.convs.size());
      done.push_back(size);
    }
  }
  // What was not measured follows the next larger size that was, or the largest.
  for (int size = 0; size < kSizes; ++size) {
    if (std::find(done.begin(), done.end(), size) != done.end()) continue;
    int like = order.front();
    for (int other : done) {
      if (other > size && other < like) like = other;
    }
    for (Algorithms& algorithms : chosen) algorithms[size] = algorithms[like];
  }
  absl::MutexLock lock(&mutex_);
  algorithms_[point] = std::move(chosen);
  if (loaded_[point].panels != nullptr) loaded_bytes_ -= loaded_[point].panels->bytes;
  loaded_[point].panels = nullptr;
}

int64_t PackedNetworkImpl::WorkspaceBytes() const {
  int64_t bytes = 0;
  for (int layer : plan_.layers) {
    const PlannedNode& node = plan_.nodes[layer];
    if (node.kind == NodeKind::kConv) {
      bytes = std::max(bytes, MostWorkspaceBytes(kernels_, node, MapsOf(node)));
    }
  }
  return bytes;
}

Part PackedNetworkImpl::MakePart(int rows) const {
  return Part(activations_, rows * plan_.frames, has_full_precision_, WorkspaceBytes(),
              plan_.nodes.back().depth + kLanes);
}

// ---- Running

template <class T>
void PackedNetworkImpl::CopyInput(const Rows& rows, T* to) const {
  const FeatureMap& map = activations_.input;
  for (int64_t image = 0; image < rows.count * plan_.frames; ++image) {
    const uint8_t* from = rows.input + image * plan_.input.elements();
    for (int64_t y = 0; y < map.height; ++y) {
      T* line = to + image * map.image_stride() + map.at(y, 0);
      if (map.stored_channels == map.channels) {
        std::copy_n(from, map.width * map.channels, line);
        from += map.width * map.channels;
        continue;
      }
      for (int64_t x = 0; x < map.width; ++x, from += map.channels, line += map.stored_channels) {
        std::copy_n(from, map.channels, line);
      }
    }
  }
}

template <class T>
void PackedNetworkImpl::RunNode(const PlannedNode& node, int index, const Rows& rows, Part& part) const {
  const T* in = Values<T>(part, node.input);
  const FeatureMap &from = activations_.map(node.input), &to = activations_.maps[index];
  if (node.kind == NodeKind::kConv) {
    const auto& conv = rows.panels->layers[node.layer].conv[ChoiceIndex(static_cast<int>(rows.count))];
    conv->Run({.in = in,
               .residual = node.has_residual ? Values<T>(part, node.residual) : nullptr,
               .out = BufferOf<T>(part, activations_.buffers[index]),
               .count = rows.count * node.frames},
              part.workspace.data());
    return;
  }
  if (node.kind != NodeKind::kMaxPool) return;  // the linear node, a global pool's only reader, makes its sums
  T* out = BufferOf<T>(part, activations_.buffers[index]);
  const MaxPoolCall call{.out_height = to.height,
                         .out_width = to.width,
                         .channels = to.stored_channels,
                         .size = node.pool,
                         .stride = node.stride,
                         .in_row_stride = from.row_stride(),
                         .out_row_stride = to.row_stride()};
  for (int64_t image = 0; image < rows.count * node.frames; ++image) {
    const T* corner = in + image * from.image_stride() + from.at(-node.padding, -node.padding);
    T* first = out + image * to.image_stride() + to.at(0, 0);
    if constexpr (sizeof(T) == 1) {
      kernels_.max_pool(call, corner, first);
    } else {
      kernels_.max_pool_floats(call, corner, first);
    }
  }
}

void PackedNetworkImpl::RunLinear(const PlannedNode& node, const Rows& rows, Part& part) const {
  const LayerEpilogue& layer = artifact_.points[rows.point].layers[node.layer];
  const int16_t* weights = rows.panels->layers[node.layer].codes.data();
  const PlannedNode* pool = plan_.PoolReadBy(node);
  const int source = pool == nullptr ? node.input : pool->input;
  const FeatureMap& map = activations_.map(source);
  const uint8_t* in = Values<uint8_t>(part, source);
  int32_t* sums = part.pool_sums.data();
  for (int64_t row = 0; row < rows.count; ++row) {
    const uint8_t* image = in + row * plan_.frames * map.image_stride();
    if (pool != nullptr) {
      std::fill(part.pool_sums.begin(), part.pool_sums.end(), 0);
      for (int64_t frame = 0; frame < plan_.frames; ++frame, image += map.image_stride()) {
        for (int64_t y = 0; y < map.height; ++y) {
          kernels_.add_pixels(image + map.at(y, 0), map.width, map.stored_channels, sums);
        }
      }
    } else {
      for (int64_t i = 0; i < map.height * map.width; ++i) {
        std::copy_n(image + map.at(i / map.width, i % map.width), map.channels, sums + i * map.channels);
      }
    }
    for (int64_t o = 0; o < node.out.channels; ++o) {
      rows.output[row * plan_.classes() + o] =
          Dequantize(kernels_.dot(sums, weights + o * node.depth, node.depth), layer.scale[o], layer.bias[o]);
    }
  }
}

void PackedNetworkImpl::RunLinearFloats(const PlannedNode& node, const Rows& rows, Part& part) const {
  const LayerEpilogue& layer = artifact_.points[rows.point].layers[node.layer];
  const float* weights = rows.panels->layers[node.layer].floats.data();
  const PlannedNode* pool = plan_.PoolReadBy(node);
  const int source = pool == nullptr ? node.input : pool->input;
  const FeatureMap& map = activations_.map(source);
  const float* in = Values<float>(part, source);
  const int64_t pixels = map.height * map.width;
  for (int64_t row = 0; row < rows.count; ++row) {
    const float* image = in + row * plan_.frames * map.image_stride();
    const auto pixel = [&](int64_t i) { return image + map.at(i / map.width, i % map.width); };
    if (pool != nullptr) {
      std::fill(part.float_sums.begin(), part.float_sums.end(), 0.0f);
      for (int64_t frame = 0; frame < plan_.frames; ++frame, image += map.image_stride()) {
        for (int64_t i = 0; i < pixels; ++i) {
          for (int64_t c = 0; c < map.channels; ++c) part.float_sums[c] += pixel(i)[c];
        }
      }
    } else {
      for (int64_t i = 0; i < pixels; ++i)
        std::copy_n(pixel(i), map.channels, part.float_sums.data() + i * map.channels);
    }
    for (int64_t o = 0; o < node.out.channels; ++o) {
      float sum = 0;
      for (int64_t d = 0; d < node.depth; ++d) sum += part.float_sums[d] * weights[o * node.depth + d];
      rows.output[row * plan_.classes() + o] = sum * layer.scale[o] + layer.bias[o];
    }
  }
}

void PackedNetworkImpl::RunRows(const Rows& rows, Part& part, const AfterNode& after_node) const {
  const bool full_precision = artifact_.points[rows.point].full_precision;
  if (full_precision) {
    CopyInput(rows, part.float_input.as<float>());
  } else {
    CopyInput(rows, part.input.data());
  }
  for (size_t i = 0; i < plan_.nodes.size(); ++i) {
    const PlannedNode& node = plan_.nodes[i];
    const int index = static_cast<int>(i);
    if (node.kind == NodeKind::kLinear) {
      full_precision ? RunLinearFloats(node, rows, part) : RunLinear(node, rows, part);
    } else if (full_precision) {
      RunNode<float>(node, index, rows, part);
    } else {
      RunNode<uint8_t>(node, index, rows, part);
    }
    if (after_node != nullptr) after_node(node, index);
  }
}

void PackedNetworkImpl::Record(const PlannedNode& node, int index, const Rows& rows, Part& part,
                               LayerTrace& trace) const {
  NodeTrace& out = trace.emplace_back();
  out.node = node.name;
  if (node.kind == NodeKind::kLinear) return;
  const bool sums = node.kind == NodeKind::kGlobalPool;
  const int source = sums ? node.input : index;
  const FeatureMap& map = activations_.map(source);
  const uint8_t* values = Values<uint8_t>(part, source);
  size_t first = 0;
  for (int64_t image = 0; image < rows.count * plan_.frames; ++image) {
    if (sums && image % plan_.frames == 0) {
      first = out.codes.size();
      out.codes.resize(first + map.channels);
    }
    for (int64_t i = 0; i < map.height * map.width; ++i) {
      const uint8_t* pixel = values + image * map.image_stride() + map.at(i / map.width, i % map.width);
      for (int64_t c = 0; c < map.channels; ++c) {
        if (sums) {
          out.codes[first + c] += pixel[c];
        } else {
          out.codes.push_back(pixel[c]);
        }
      }
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PackedNetwork>> PackedNetwork::Create(Artifact artifact, const KernelTable& kernels,
                                                                     const PackedNetworkOptions& options) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (options.threads < 1 || options.threads > 64) {
    return absl::InvalidArgumentError(absl::StrCat("threads of a run: ", options.threads, " is not from 1 to 64"));
  }
  if (options.panel_budget < 0) {
    return absl::InvalidArgumentError(absl::StrCat("panel budget of ", options.panel_budget, " bytes is negative"));
  }
  if (options.activation_budget < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("activation budget of ", options.activation_budget, " bytes is negative"));
  }
  return std::make_unique<PackedNetworkImpl>(std::move(artifact), kernels, options);
}

}  // namespace anybit
