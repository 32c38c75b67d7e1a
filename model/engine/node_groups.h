// Which nodes run together on a few rows at a time, so that what one hands to the next stays near the processor.
//
// A batch whose activations exceed the caches would carry them to and from memory at every node. Weights are the price:
// every part of a batch reads them again, so that nodes with many of them take whole batches. Where the maps of a
// single row exceed the caches, nodes run in bands of it.
#ifndef ANYBIT_MODEL_ENGINE_NODE_GROUPS_H_
#define ANYBIT_MODEL_ENGINE_NODE_GROUPS_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "model/engine/activation_plan.h"
#include "model/engine/row_bands.h"
#include "model/format/network_spec.h"

namespace anybit::model {

inline constexpr int64_t kAllRows = std::numeric_limits<int64_t>::max();

// Consecutive nodes that run `rows` rows, or kAllRows, one after the other before they run the next rows.
struct NodeGroup {
  int end;  // the node after the last
  int64_t rows;
  int bands = -1;  // index into NodeGroups::bands, or -1
};

struct NodeGroups {
  std::vector<NodeGroup> groups;  // in order; they hold every node
  std::vector<RowBands> bands;    // of groups of one row
};

// `value_bytes` of an activation and of a weight; `near_bytes`: what stays near the processor of a node's input, output
// and residual.
NodeGroups GroupNodes(const NetworkPlan& plan, const ActivationPlan& activations, int value_bytes, int64_t near_bytes);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_NODE_GROUPS_H_
