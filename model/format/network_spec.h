// A NetworkSpec checked and laid out: inputs resolved to indices, shapes and sizes inferred.
//
// The spec itself is data; proto/artifact.proto defines the computation of each node. Trainer and engine both use the
// NetworkPlan made here, so neither checks a spec or infers a shape by itself.
#ifndef ANYBIT_MODEL_FORMAT_NETWORK_SPEC_H_
#define ANYBIT_MODEL_FORMAT_NETWORK_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/activation.h"
#include "proto/artifact.pb.h"

namespace anybit::model {

using proto::NetworkSpec;

// One row of an activation tensor, NHWC.
struct FeatureShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;

  int64_t elements() const { return height * width * channels; }
  friend bool operator==(const FeatureShape&, const FeatureShape&) = default;
};

enum class NodeKind : uint8_t { kConv, kMaxPool, kGlobalPool, kLinear, kGate };

inline constexpr int kNetworkInput = -1;

struct PlannedNode {
  std::string name;
  NodeKind kind{};
  int input = kNetworkInput;     // index of the node whose output this one reads, or kNetworkInput
  int residual = kNetworkInput;  // of a gate: the node whose outputs are the factors
  bool has_residual = false;
  int layer = -1;  // index among the nodes with weights (conv, linear), in node order; else -1
  int gate = -1;   // index among the gates, in node order; else -1
  FeatureShape in;
  FeatureShape out;        // kLinear: {1, 1, out_features}
  int kernel = 0;          // kConv; kLinear: 1
  int stride = 0;          // kConv and kMaxPool; kLinear: 1
  int padding = 0;         // kConv and kMaxPool
  int pool = 0;            // kMaxPool: the window's size
  bool depthwise = false;  // kConv: each output reads its own channel only
  bool relu = true;        // kConv: nothing is below 0 at integer points; a clip's lower limit, too
  Activation activation;   // kConv
  bool of_sums = false;    // kConv: reads a global pool
  bool has_zero = false;   // the output's zero code may be above 0 at some point
  int64_t frames = 1;      // of one row: the node runs on each; kGlobalPool sums over them
  // Weights are [out][depth]. Depth is in (kernel row, kernel column, channel) order, without channel where depthwise;
  // kLinear: in its input's NHWC order.
  int64_t depth = 0;
  int64_t weights() const { return depth * out.channels; }
  int64_t macs() const { return weights() * out.height * out.width * frames; }  // of one row
  int64_t pooled() const { return frames * in.height * in.width; }              // kGlobalPool: codes of one sum
};

struct NetworkPlan {
  FeatureShape input;  // of one frame
  int64_t frames = 1;
  std::vector<PlannedNode> nodes;
  std::vector<int> layers;          // node index of each layer
  std::vector<int> gates;           // node index of each gate
  std::vector<float> padding_code;  // by channel, around the network's input; empty: 0
  int64_t macs = 0;                 // multiplications of one row

  const PlannedNode& layer(int index) const { return nodes[layers[index]]; }
  // The global pool whose sums `node` reads, or null.
  const PlannedNode* PoolReadBy(const PlannedNode& node) const {
    if (node.input == kNetworkInput || nodes[node.input].kind != NodeKind::kGlobalPool) return nullptr;
    return &nodes[node.input];
  }
  // The node, or network input, whose map `node` reads: in place of a global pool, which stores nothing, the pool's.
  int SourceOf(const PlannedNode& node) const {
    const PlannedNode* const pool = PoolReadBy(node);
    return pool == nullptr ? node.input : pool->input;
  }
  int64_t input_elements() const { return frames * input.elements(); }  // of one row
  int classes() const { return static_cast<int>(nodes.back().out.channels); }
};

// InvalidArgument, naming node, value and limit, for a spec that breaks a rule of proto/artifact.proto, whose
// accumulators could leave 32 bits, or that is too large to serve.
absl::StatusOr<NetworkPlan> PlanNetwork(const NetworkSpec& spec);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_NETWORK_SPEC_H_
