#include "model/engine/row_bands.h"

#include <algorithm>

namespace anybit::model {
namespace {

// Whether node `index` can compute some rows, of codes or floats: its kernel alone gives its map. Activations that the
// kernel does not compute, and borders of codes above 0, are written over whole maps.
bool HasRows(const NetworkPlan& plan, const ActivationPlan& activations, int index, bool floats) {
  const PlannedNode& node = plan.nodes[index];
  if (node.kind != NodeKind::kConv && node.kind != NodeKind::kMaxPool) return false;
  if (node.of_sums) return false;
  if (floats) return node.activation.is_none();
  const FeatureMap& map = activations.maps[index];
  return !node.activation.is_tabled() && !(node.has_zero && (map.before > 0 || map.after > 0));
}

int64_t WindowOf(const PlannedNode& node) { return node.kind == NodeKind::kMaxPool ? node.pool : node.kernel; }

// The first row of its input that row `y` of a node's output reads, and the row after the last.
int64_t FirstRead(const PlannedNode& node, int64_t y) { return y * node.stride - node.padding; }
int64_t EndOfRead(const PlannedNode& node, int64_t end) { return FirstRead(node, end - 1) + WindowOf(node); }

class BandPlanner {
 public:
  BandPlanner(const NetworkPlan& plan, const ActivationPlan& activations, int first, int end)
      : plan_(plan), activations_(activations), bands_{.first = first, .end = end, .buffer_rows = {}, .steps = {}} {
    bands_.buffer_rows.resize(end - first - 1);
  }

  RowBands Plan(int64_t rows) {
    RunBands(rows);  // tells how many rows buffers must hold
    bands_.steps.clear();
    RunBands(rows);
    return std::move(bands_);
  }

 private:
  // Of one node.
  struct Progress {
    int64_t done = 0;    // rows computed
    int64_t target = 0;  // rows to compute
    int64_t base = 0;    // the row of the map, or of its border, that lies first in the buffer
  };

  Progress& Of(int node) { return progress_[node - bands_.first]; }
  const PlannedNode& Node(int index) const { return plan_.nodes[index]; }
  int64_t Height(int node) const { return activations_.maps[node].height; }

  void RunBands(int64_t rows) {
    progress_.assign(bands_.end - bands_.first, {});
    for (int node = bands_.first; node < bands_.end; ++node) Of(node).base = -activations_.maps[node].before;
    const int last = bands_.end - 1;
    for (int64_t end = 0; end < Height(last);) {
      end = std::min(end + rows, Height(last));
      SetTargets(end);
      for (int node = bands_.first; node < bands_.end; ++node) {
        if (Of(node).target > Of(node).done) Take(node);
      }
    }
  }

  // What each node must have computed for rows 0 .. end - 1 of the last one.
  void SetTargets(int64_t end) {
    for (Progress& p : progress_) p.target = p.done;
    const auto need = [&](int tensor, int64_t rows) {
      if (bands_.Holds(tensor)) Of(tensor).target = std::max(Of(tensor).target, std::min(rows, Height(tensor)));
    };
    Of(bands_.end - 1).target = end;
    for (int index = bands_.end - 1; index >= bands_.first; --index) {
      const PlannedNode& node = Node(index);
      if (Of(index).target == Of(index).done) continue;
      need(node.input, EndOfRead(node, Of(index).target));
      if (node.has_residual) need(node.residual, Of(index).target);
    }
  }

  // Calls visit(first row that a reader will read next, end of all rows that it reads) for each reader of a node.
  template <class Visit>
  void ForEachRead(int tensor, const Visit& visit) {
    for (int index = tensor + 1; index < bands_.end; ++index) {
      const PlannedNode& node = Node(index);
      if (node.input == tensor) visit(FirstRead(node, Of(index).done), EndOfRead(node, Height(index)));
      if (node.has_residual && node.residual == tensor) visit(Of(index).done, Height(index));
    }
  }

  // Adds the step that brings a node to its target.
  void Take(int index) {
    Progress& p = Of(index);
    BandStep step{.node = index, .rows = {.first = p.done, .count = p.target - p.done}};
    if (bands_.Holds(index)) MakeRoom(index, step);
    p.done = p.target;
    const auto base_of = [&](int tensor) {
      return bands_.Holds(tensor) ? Of(tensor).base + activations_.maps[tensor].before : 0;
    };
    step.rows.in_base = base_of(Node(index).input);
    if (Node(index).has_residual) step.rows.residual_base = base_of(Node(index).residual);
    step.rows.out_base = base_of(index);
    bands_.steps.push_back(step);
  }

  void MakeRoom(int index, BandStep& step) {
    Progress& p = Of(index);
    const int64_t height = Height(index), before = activations_.maps[index].before;
    int64_t needed = p.done, below = 0;
    ForEachRead(index, [&](int64_t first, int64_t end) {
      needed = std::min(needed, std::max(first, -before));
      below = std::max(below, end - height);
    });
    if (p.done == 0) needed = -before;
    const int64_t end = p.target == height ? height + below : p.target;
    int64_t& rows = bands_.buffer_rows[index - bands_.first];
    rows = std::max(rows, end - needed);
    if (end > p.base + rows) {
      step.move_from = needed - p.base;
      step.move_rows = p.done - needed;
      p.base = needed;
    }
    if (p.done == 0) {
      step.zero_rows = before;
    } else if (p.target == height) {
      step.zero_from = height - p.base;
      step.zero_rows = below;
    }
  }

  const NetworkPlan& plan_;
  const ActivationPlan& activations_;
  RowBands bands_;
  std::vector<Progress> progress_;
};

// Whether the last node's map lies where one does that others of the group still read: node by node it would be free.
bool OverwritesAnInput(const NetworkPlan& plan, const ActivationPlan& activations, int first, int last) {
  const auto is_overwritten = [&](int tensor) {
    return tensor != kNetworkInput && tensor < first && activations.buffers[tensor] == activations.buffers[last];
  };
  for (int index = first; index <= last; ++index) {
    const PlannedNode& node = plan.nodes[index];
    if (is_overwritten(node.input) || (node.has_residual && is_overwritten(node.residual))) return true;
  }
  return false;
}

// The node after the last one that reads `node`.
int EndOfReaders(const NetworkPlan& plan, int node) {
  int end = node + 1;
  for (int index = node + 1; index < static_cast<int>(plan.nodes.size()); ++index) {
    const PlannedNode& reader = plan.nodes[index];
    if (reader.input == node || (reader.has_residual && reader.residual == node)) end = index + 1;
  }
  return end;
}

}  // namespace

int64_t BufferBytes(const RowBands& bands, const ActivationPlan& activations, int value_bytes) {
  int64_t values = 0;
  for (int node = bands.first; node + 1 < bands.end; ++node) {
    values += bands.buffer_rows[node - bands.first] * activations.maps[node].row_stride();
  }
  return values * value_bytes;
}

RowBands PlanBands(const NetworkPlan& plan, const ActivationPlan& activations, int first, int end, int64_t rows) {
  return BandPlanner(plan, activations, first, end).Plan(rows);
}

std::optional<RowBands> BandsFrom(const NetworkPlan& plan, const ActivationPlan& activations, int first,
                                  int value_bytes, int64_t large_bytes, int64_t near_bytes) {
  const auto is_large = [&](int node) { return activations.maps[node].image_stride() * value_bytes > large_bytes; };
  const auto fits = [&](const RowBands& bands) { return BufferBytes(bands, activations, value_bytes) <= near_bytes; };
  const bool floats = value_bytes == sizeof(float);
  if (!HasRows(plan, activations, first, floats) || !is_large(first)) return std::nullopt;
  std::optional<RowBands> found;
  int64_t weights = 0;
  int end_of_readers = first + 1;  // of all nodes but the last
  for (int node = first; node < static_cast<int>(plan.nodes.size()) && HasRows(plan, activations, node, floats);
       ++node) {
    weights += plan.nodes[node].weights() * value_bytes;
    if (weights > near_bytes) break;
    if (node > first && end_of_readers <= node + 1 && !OverwritesAnInput(plan, activations, first, node)) {
      RowBands bands = PlanBands(plan, activations, first, node + 1, 1);
      if (!fits(bands)) break;
      found = std::move(bands);
      if (!is_large(node)) break;
    }
    end_of_readers = std::max(end_of_readers, EndOfReaders(plan, node));
  }
  // More rows at a time move fewer of them.
  const auto height = found.has_value() ? activations.maps[found->end - 1].height : 0;
  for (int64_t rows = 2; rows <= height; rows *= 2) {
    RowBands bands = PlanBands(plan, activations, found->first, found->end, rows);
    if (!fits(bands)) break;
    found = std::move(bands);
  }
  return found;
}

}  // namespace anybit::model
