#include "model/engine/packed_network.h"

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/engine/activation_plan.h"
#include "model/engine/choice_table.h"
#include "model/engine/interpreter.h"
#include "model/engine/kernel_tuner.h"
#include "model/engine/node_groups.h"
#include "model/engine/panel_cache.h"
#include "model/engine/panel_packer.h"
#include "model/engine/thread_crew.h"
#include "model/kernels/cpu/cache_size.h"
#include "model/kernels/cpu/conv_algorithm.h"

namespace anybit::model {
namespace {

using std::chrono::nanoseconds;

constexpr int kMaxThreads = 64;
// Rows that a thread computes at once at most, whatever the activation budget: keeps counts far inside int.
constexpr int64_t kMaxRowsAtOnce = int64_t{1} << 20;
// A tile unit that is short of power takes about four times as long for a product (measured on Emerald Rapids).
constexpr double kTileStateRatio = 4;

// Maps beyond the second-level cache move to memory and back between any two nodes. With tiles, the large maps of batch
// 32 ran at 65 per cent of the peak instead of 82 (Emerald Rapids, a study's kernels; a quarter was best there). With
// AVX-512, 8 rows of MobileNetV2 took 12 per cent less time, of ResNet-50 8, networks with small maps the same (Ice
// Lake).
int64_t NearActivations(const PackedNetworkOptions& options) {
  return options.near_activations.value_or(SecondLevelCacheBytes() / 4);
}

bool HasFullPrecision(const Artifact& artifact) {
  return std::any_of(artifact.points.begin(), artifact.points.end(),
                     [](const ArtifactPoint& point) { return point.full_precision; });
}

ChoiceTable::Names NamesOf(const Artifact& artifact, const NetworkPlan& plan, const KernelTable& kernels) {
  ChoiceTable::Names names{.isa = kernels.name, .is_algorithm = [](absl::string_view name) {
                             return ConvAlgorithmByName(name).has_value();
                           }};
  for (const ArtifactPoint& point : artifact.points) names.points.push_back(point.info.name);
  for (int node : plan.layers) {
    const bool chooses = plan.nodes[node].kind == NodeKind::kConv && !plan.nodes[node].of_sums;
    names.layers.push_back(chooses ? plan.nodes[node].name : "");
  }
  return names;
}

bool NothingChosen(const std::vector<AlgorithmNames>& choices) {
  return std::all_of(choices.begin(), choices.end(), [](const AlgorithmNames& names) { return names.front().empty(); });
}

// Runs the tuner's trials of one point on one thread.
class PointTrials : public TrialRunner {
 public:
  PointTrials(const Interpreter& interpreter, PointCandidates candidates, const MonotonicClock& now, Rows rows,
              InterpreterMemory& memory, double state_ratio)
      : interpreter_(interpreter),
        candidates_(std::move(candidates)),
        now_(now),
        rows_(rows),
        memory_(memory),
        state_ratio_(state_ratio) {
    rows_.panels = &candidates_.panels;
  }

  double state_ratio() const override { return state_ratio_; }

  std::vector<int> counts() const {
    std::vector<int> counts;
    for (const auto& layer : candidates_.layers) counts.push_back(static_cast<int>(layer.size()));
    return counts;
  }

  const char* name(int layer, int candidate) const { return NameOf(candidates_.layers[layer][candidate].algorithm); }

  // The candidates of those names, by layer; -1 where there is none.
  std::vector<ChosenCandidates> Named(const std::vector<AlgorithmNames>& names) const {
    std::vector<ChosenCandidates> named(candidates_.layers.size());
    for (size_t layer = 0; layer < named.size(); ++layer) {
      for (size_t size = 0; size < kChoiceRows.size(); ++size) {
        const auto& candidates = candidates_.layers[layer];
        const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const KernelCandidate& candidate) {
          return names[layer][size] == NameOf(candidate.algorithm);
        });
        named[layer][size] = found == candidates.end() ? -1 : static_cast<int>(found - candidates.begin());
      }
    }
    return named;
  }

  void Run(int size, std::span<const int> candidates, std::span<nanoseconds> times) override {
    for (size_t layer = 0; layer < candidates.size(); ++layer) {
      if (candidates_.layers[layer].empty()) continue;
      candidates_.panels.layers[layer].conv[size] = candidates_.layers[layer][candidates[layer]].conv;
    }
    rows_.count = kChoiceRows[size];
    nanoseconds last = now_();
    interpreter_.RunNodeByNode(rows_, memory_, [&](const PlannedNode& node, int) {
      const nanoseconds now = now_();
      if (node.layer >= 0) times[node.layer] = now - last;
      last = now;
    });
  }

 private:
  const Interpreter& interpreter_;
  PointCandidates candidates_;
  const MonotonicClock& now_;
  Rows rows_;
  InterpreterMemory& memory_;
  const double state_ratio_;
};

int64_t WeightBytes(const Artifact& artifact) {
  size_t bytes = 0;
  for (const LayerStore& layer : artifact.store) {
    bytes += layer.q8.size() + sizeof(float) * (layer.scale.size() + layer.full.size());
  }
  return static_cast<int64_t>(bytes);
}

class PackedNetworkImpl : public PackedNetwork {
 public:
  PackedNetworkImpl(Artifact artifact, const KernelTable& kernels, const PackedNetworkOptions& options)
      : options_(options),
        artifact_(std::move(artifact)),
        plan_(*PlanNetwork(artifact_.spec)),
        description_(Describe(artifact_)),
        weight_bytes_(WeightBytes(artifact_)),
        activations_(PlanActivations(plan_)),
        interpreter_(plan_, activations_, kernels, HasFullPrecision(artifact_), NearActivations(options)),
        packer_(artifact_, plan_, activations_, kernels),
        rows_at_once_(static_cast<int>(
            std::clamp<int64_t>(options.activation_budget / interpreter_.bytes_per_row(), 1, kMaxRowsAtOnce))),
        state_ratio_(kernels.tiles == nullptr ? 1 : kTileStateRatio),
        choices_(NamesOf(artifact_, plan_, kernels)),
        panels_(static_cast<int>(artifact_.points.size()), options.panel_budget,
                [this](PointId point) { return Pack(point); }) {}

  const NetworkDescription& description() const override { return description_; }

  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override;
  absl::Status Prepare(PointId point) const override;
  bool IsPrepared(PointId point) const override { return CheckPoint(description_, point).ok() && panels_.Has(point); }
  absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                   Scratch& scratch) const override;
  absl::StatusOr<LayerTrace> Trace(PointId point, std::span<const uint8_t> input) const override;
  absl::Status RunNodes(PointId point, std::span<const uint8_t> input, std::span<float> output, Scratch& scratch,
                        const AfterNode& after_node) const override;
  KernelChoices choices() const override { return choices_.choices(); }
  absl::Status SetChoices(const KernelChoices& choices) override;
  void MeasureChoices(int max_rows, nanoseconds budget, const MonotonicClock& now, std::stop_token stop) override;
  NetworkBytes bytes() const override { return {.weights = weight_bytes_, .panels = panels_.bytes()}; }

 private:
  class PackedScratch;

  // The rows of a run, or InvalidArgument where they do not fit `scratch`.
  absl::StatusOr<int64_t> RowsFor(PointId point, std::span<const uint8_t> input, std::span<float> output,
                                  const PackedScratch& scratch) const;
  std::shared_ptr<const PointPanels> Pack(PointId point) const;
  void SetChoicesOf(PointId point, std::vector<AlgorithmNames> names);
  void MeasurePoint(PointId point, int max_rows, nanoseconds end, const MonotonicClock& now, const Rows& rows,
                    InterpreterMemory& memory, const std::stop_token& stop);

  const PackedNetworkOptions options_;
  const Artifact artifact_;
  const NetworkPlan plan_;
  const NetworkDescription description_;
  const int64_t weight_bytes_;
  const ActivationPlan activations_;
  const Interpreter interpreter_;
  const PanelPacker packer_;
  const int rows_at_once_;    // by one thread
  const double state_ratio_;  // of the tuner's trials

  // Synchronize themselves. Both only determine how soon a result comes, so const functions may use them.
  mutable ChoiceTable choices_;
  mutable PanelCache panels_;
};

class PackedNetworkImpl::PackedScratch : public AdaptiveNetwork::Scratch {
 public:
  PackedScratch(const PackedNetworkImpl& network, int max_rows)
      : max_rows(max_rows),
        network_(network),
        crew_(std::min(network.options_.threads, max_rows) - 1, [this](int share) { RunShare(share); }) {
    const int threads = std::min(network.options_.threads, max_rows);
    const int rows_per_thread = (max_rows + threads - 1) / threads;
    for (int i = 0; i < threads; ++i) {
      memory_.push_back(network.interpreter_.MakeMemory(std::min(rows_per_thread, network.rows_at_once_)));
    }
  }

  void Run(const Rows& rows) {
    rows_ = rows;
    shares_ = static_cast<int>(std::min<int64_t>(rows.count, static_cast<int64_t>(memory_.size())));
    if (shares_ == 1) {
      RunShare(0);
    } else {
      crew_.Run();
    }
  }

  // Rows 0 to rows.count - 1 at once on the calling thread.
  void RunNodes(const Rows& rows, const AfterNode& after_node) {
    network_.interpreter_.RunParts(rows, memory_.front(), after_node);
  }

  int rows_of_one_thread() const {
    return std::min((max_rows + static_cast<int>(memory_.size()) - 1) / static_cast<int>(memory_.size()),
                    network_.rows_at_once_);
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
      network_.interpreter_.Run(rows, memory_[share]);
    }
  }

  const PackedNetworkImpl& network_;
  std::vector<InterpreterMemory> memory_;  // by thread
  Rows rows_;                              // of the running batch: written before the crew wakes, read while it works
  int shares_ = 0;                         // likewise
  ThreadCrew crew_;
};

std::unique_ptr<AdaptiveNetwork::Scratch> PackedNetworkImpl::MakeScratch(int max_rows) const {
  return std::make_unique<PackedScratch>(*this, max_rows);
}

absl::Status PackedNetworkImpl::Prepare(PointId point) const {
  if (absl::Status status = CheckPoint(description_, point); !status.ok()) return status;
  panels_.Get(point);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> PackedNetworkImpl::RowsFor(PointId point, std::span<const uint8_t> input,
                                                   std::span<float> output, const PackedScratch& scratch) const {
  absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), output.size());
  if (!rows.ok()) return rows.status();
  if (*rows > scratch.max_rows) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", *rows, " exceeds the scratch's ", scratch.max_rows));
  }
  return rows;
}

absl::Status PackedNetworkImpl::Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                                    Scratch& scratch) const {
  auto& s = static_cast<PackedScratch&>(scratch);
  const absl::StatusOr<int64_t> rows = RowsFor(point, input, output, s);
  if (!rows.ok()) return rows.status();
  const std::shared_ptr<const PointPanels> panels = panels_.Get(point);
  s.Run({.panels = panels.get(), .input = input.data(), .output = output.data(), .count = *rows});
  return absl::OkStatus();
}

absl::Status PackedNetworkImpl::RunNodes(PointId point, std::span<const uint8_t> input, std::span<float> output,
                                         Scratch& scratch, const AfterNode& after_node) const {
  auto& s = static_cast<PackedScratch&>(scratch);
  const absl::StatusOr<int64_t> rows = RowsFor(point, input, output, s);
  if (!rows.ok()) return rows.status();
  if (*rows > s.rows_of_one_thread()) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", *rows, " exceeds the ", s.rows_of_one_thread(), " rows of one thread"));
  }
  const std::shared_ptr<const PointPanels> panels = panels_.Get(point);
  s.RunNodes({.panels = panels.get(), .input = input.data(), .output = output.data(), .count = *rows}, after_node);
  return absl::OkStatus();
}

absl::StatusOr<LayerTrace> PackedNetworkImpl::Trace(PointId point, std::span<const uint8_t> input) const {
  const int64_t count = static_cast<int64_t>(input.size()) / plan_.input_elements();
  std::vector<float> logits(count * plan_.classes());
  if (absl::StatusOr<int64_t> rows = RowsOf(description_, point, input.size(), logits.size()); !rows.ok()) {
    return rows.status();
  }
  InterpreterMemory memory = interpreter_.MakeMemory(static_cast<int>(count));
  const std::shared_ptr<const PointPanels> panels = panels_.Get(point);
  LayerTrace trace;
  interpreter_.RunNodeByNode(
      {.panels = panels.get(), .input = input.data(), .output = logits.data(), .count = count}, memory,
      [&](const PlannedNode& node, int index) { interpreter_.Record(node, index, count, memory, trace); });
  return trace;
}

std::shared_ptr<const PointPanels> PackedNetworkImpl::Pack(PointId point) const {
  std::vector<AlgorithmNames> choices = choices_.At(point);
  auto panels = std::make_shared<const PointPanels>(packer_.Pack(point, choices));
  choices_.SetAt(point, std::move(choices));
  return panels;
}

absl::Status PackedNetworkImpl::SetChoices(const KernelChoices& choices) {
  return panels_.Change([&] { return choices_.Set(choices); });
}

void PackedNetworkImpl::MeasureChoices(int max_rows, nanoseconds budget, const MonotonicClock& now,
                                       std::stop_token stop) {
  const nanoseconds end = now() + budget;
  const int rows_of_thread = (max_rows + options_.threads - 1) / options_.threads;
  const int most_rows = std::clamp(std::min(rows_of_thread, rows_at_once_), 1, kChoiceRows.back());
  InterpreterMemory memory = interpreter_.MakeMemory(most_rows);
  // Neither constant nor periodic in an image's rows, so that no kernel is favoured.
  std::vector<uint8_t> images(most_rows * plan_.input_elements());
  uint32_t state = 1;
  for (uint8_t& code : images) code = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  std::vector<float> logits(most_rows * plan_.classes());
  const int points = static_cast<int>(artifact_.points.size());
  int point = 0;
  for (; point < points && now() < end && !stop.stop_requested(); ++point) {
    // Each remaining point gets an equal share of the remaining time.
    const nanoseconds share_end = now() + std::max(nanoseconds(0), end - now()) / (points - point);
    MeasurePoint(ToPointId(point), most_rows, share_end, now, {.input = images.data(), .output = logits.data()}, memory,
                 stop);
  }
  // What is exact for a dearer point is exact for a cheaper one, and no slower there: a guess might be.
  for (; point > 0 && point < points; ++point) {
    if (artifact_.points[point - 1].full_precision || !NothingChosen(choices_.At(ToPointId(point)))) continue;
    SetChoicesOf(ToPointId(point), choices_.At(ToPointId(point - 1)));
  }
}

void PackedNetworkImpl::MeasurePoint(PointId point, int max_rows, nanoseconds end, const MonotonicClock& now,
                                     const Rows& rows, InterpreterMemory& memory, const std::stop_token& stop) {
  PointTrials trials(interpreter_, packer_.PackCandidates(point), now, rows, memory, state_ratio_);
  const std::vector<int> counts = trials.counts();
  // A dearer point's algorithms are exact here, too: where none is clearly faster, this point is as fast as that one.
  std::vector<ChosenCandidates> preferred;
  if (const int index = static_cast<int>(point); index > 0) {
    preferred = trials.Named(choices_.At(ToPointId(index - 1)));
  }
  const std::vector<ChosenCandidates> chosen = TuneKernels(counts, max_rows, end, now, trials, stop, preferred);
  if (stop.stop_requested()) return;
  std::vector<AlgorithmNames> names(chosen.size());
  for (size_t layer = 0; layer < chosen.size(); ++layer) {
    if (counts[layer] == 0) continue;
    for (size_t size = 0; size < kChoiceRows.size(); ++size) {
      names[layer][size] = trials.name(static_cast<int>(layer), chosen[layer][size]);
    }
  }
  SetChoicesOf(point, std::move(names));
}

void PackedNetworkImpl::SetChoicesOf(PointId point, std::vector<AlgorithmNames> names) {
  panels_
      .Change(point,
              [&] {
                choices_.SetAt(point, std::move(names));
                return absl::OkStatus();
              })
      .IgnoreError();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PackedNetwork>> PackedNetwork::Create(Artifact artifact, const KernelTable& kernels,
                                                                     const PackedNetworkOptions& options) {
  if (absl::Status status = ValidateArtifact(artifact); !status.ok()) return status;
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("threads of a run: ", options.threads, " is not from 1 to ", kMaxThreads));
  }
  if (options.panel_budget < 0) {
    return absl::InvalidArgumentError(absl::StrCat("panel budget of ", options.panel_budget, " bytes is negative"));
  }
  if (options.activation_budget < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("activation budget of ", options.activation_budget, " bytes is negative"));
  }
  if (options.near_activations.has_value() && *options.near_activations < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("near activations of ", *options.near_activations, " bytes are negative"));
  }
  return std::make_unique<PackedNetworkImpl>(std::move(artifact), kernels, options);
}

}  // namespace anybit::model
