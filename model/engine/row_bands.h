// A depth-first order for nodes whose maps are too large to stay near the processor.
//
// Node by node, such a map would go to memory and come back. Instead each node computes a few rows, as soon as those
// that it reads exist, into a buffer that holds no more rows than their readers need. Only the last node's map is
// whole.
#ifndef ANYBIT_MODEL_ENGINE_ROW_BANDS_H_
#define ANYBIT_MODEL_ENGINE_ROW_BANDS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "model/engine/activation_plan.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/conv_layer.h"

namespace anybit::model {

// Some rows of one node's output.
struct BandStep {
  int node;
  RowRange rows;
  // Before it, in the node's buffer: so many rows, which readers still need, move from there to the start. Then rows
  // are zeroed: those above the map, and after the step those below it. All count from the buffer's start.
  int64_t move_from = 0, move_rows = 0;
  int64_t zero_from = 0, zero_rows = 0;
};

// Nodes first .. end - 1.
struct RowBands {
  int first = 0, end = 0;
  std::vector<int64_t> buffer_rows;  // of nodes first .. end - 2; rows are as long as those of their maps
  std::vector<BandStep> steps;       // for one image

  // Whether the values of `node` lie in a buffer.
  bool Holds(int node) const { return node >= first && node + 1 < end; }
};

// Bytes of the buffers.
int64_t BufferBytes(const RowBands& bands, const ActivationPlan& activations, int value_bytes);

// `rows` of the last node's output at a time, as far as the map goes. Maps of nodes first .. end - 2 are read by nodes
// of the group alone, which are all conv or max pool nodes.
RowBands PlanBands(const NetworkPlan& plan, const ActivationPlan& activations, int first, int end, int64_t rows);

// The bands of nodes from `first` on, or nothing where its map is not larger than `large_bytes` or no other node can
// run with it. They end at the first map that is not larger, and their weights and buffers take at most `near_bytes`
// each.
std::optional<RowBands> BandsFrom(const NetworkPlan& plan, const ActivationPlan& activations, int first,
                                  int value_bytes, int64_t large_bytes, int64_t near_bytes);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_ROW_BANDS_H_
