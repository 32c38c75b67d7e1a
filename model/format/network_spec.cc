#include "model/format/network_spec.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"
#include "model/format/float_input_spec.h"
#include "model/format/invalid.h"
#include "model/format/network_name.h"

namespace anybit::model {
namespace {

// Limits of one network, above all known image networks. They keep every product of sizes below far inside int64.
constexpr int kMaxNodes = 4096;
constexpr int64_t kMaxSide = 4096;
constexpr int64_t kMaxChannels = 65536;
constexpr int64_t kMaxFrames = 256;
constexpr int64_t kMaxElements = int64_t{1} << 24;  // of one tensor, in one frame
// Of all tensors together, so of a slot's memory: one frame's, and a row's in all its frames. ResNet-152 has 23 million
// elements at 224x224.
constexpr int64_t kMaxFrameElements = int64_t{1} << 26;
constexpr int64_t kMaxRowElements = int64_t{1} << 27;
constexpr int64_t kMaxWeights = int64_t{1} << 30;  // of all layers together
constexpr int64_t kMaxMacs = int64_t{1} << 38;     // of one row: minutes with the slowest kernels
// The largest operands of a product: u8 codes and int8 weights.
constexpr int64_t kHighestCode = 255;
constexpr int64_t kMaxWeightMagnitude = 128;

// A network's name is the model's on the wire, where dashes and capitals are usual; others have neither.
absl::Status CheckName(const std::string& name, const char* what, bool is_network) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return Invalid(what, " name of ", name.size(), " characters, expected 1..", kMaxNameBytes);
  }
  for (char c : name) {
    if (IsInNetworkName(c) && (is_network || (c != '-' && !absl::ascii_isupper(static_cast<unsigned char>(c)))))
      continue;
    return Invalid(what, " name '", name, "' has a character outside ",
                   is_network ? kNetworkNameCharacters : "[a-z0-9_.]");
  }
  return absl::OkStatus();
}

absl::Status PlanInput(const proto::TensorSpec& tensor, NetworkPlan& plan) {
  if (tensor.name().empty()) return Invalid("the network's input has no name");
  const int dimensions = tensor.shape_size();
  if (dimensions != 3 && dimensions != 4) {
    return Invalid("the network's input has ", dimensions,
                   " dimensions, expected 3 (height, width, channels) or, of clips, 4 (frames before those)");
  }
  for (int64_t extent : tensor.shape()) {
    if (extent < 1 || extent > kMaxSide) return Invalid("input dimension ", extent, " is outside 1..", kMaxSide);
  }
  if (dimensions == 4) plan.frames = tensor.shape(0);
  if (plan.frames > kMaxFrames) return Invalid("clips of ", plan.frames, " frames exceed ", kMaxFrames);
  plan.input = {tensor.shape(dimensions - 3), tensor.shape(dimensions - 2), tensor.shape(dimensions - 1)};
  if (plan.input.elements() > kMaxElements) {
    return Invalid("input of ", plan.input.elements(), " elements exceeds ", kMaxElements);
  }
  return absl::OkStatus();
}

absl::Status PlanPadding(const NetworkSpec& spec, NetworkPlan& plan) {
  plan.padding_code.assign(spec.padding_code().begin(), spec.padding_code().end());
  if (plan.padding_code.empty()) return absl::OkStatus();
  if (static_cast<int64_t>(plan.padding_code.size()) != plan.input.channels) {
    return Invalid(plan.padding_code.size(), " padding codes for ", plan.input.channels, " channels");
  }
  for (const float code : plan.padding_code) {
    if (!(code >= 0 && code <= static_cast<float>(kHighestCode))) {
      return Invalid("padding code ", code, " is outside 0..", kHighestCode);
    }
  }
  return absl::OkStatus();
}

// Resolves one node of the spec against the nodes before it.
class NodePlanner {
 public:
  NodePlanner(const proto::Node& node, const NetworkPlan& plan, const std::map<std::string, int>& known)
      : node_(node), plan_(plan), known_(known) {}

  absl::StatusOr<PlannedNode> Plan() {
    planned_.name = node_.name();
    if (absl::Status status = ResolveInputs(); !status.ok()) return status;
    absl::Status status;
    switch (node_.op_case()) {
      case proto::Node::kConv: status = PlanConv(node_.conv()); break;
      case proto::Node::kMaxPool: status = PlanMaxPool(node_.max_pool()); break;
      case proto::Node::kGlobalPool: status = PlanGlobalPool(); break;
      case proto::Node::kLinear: status = PlanLinear(node_.linear()); break;
      case proto::Node::kGate: status = PlanGate(); break;
      case proto::Node::OP_NOT_SET: status = Invalid("node '", node_.name(), "' has no operation"); break;
    }
    if (!status.ok()) return status;
    if (planned_.out.elements() > kMaxElements) {
      return Invalid("node '", node_.name(), "': output of ", planned_.out.elements(), " elements exceeds ",
                     kMaxElements);
    }
    return planned_;
  }

 private:
  FeatureShape ShapeOf(int index) const { return index == kNetworkInput ? plan_.input : plan_.nodes[index].out; }
  bool IsSum(int index) const { return index != kNetworkInput && plan_.nodes[index].kind == NodeKind::kGlobalPool; }
  // Whether code 0 may stand for a value below 0.
  bool HasZero(int index) const { return index != kNetworkInput && plan_.nodes[index].has_zero; }

  absl::Status ResolveInputs() {
    const int allowed = node_.has_conv() || node_.has_gate() ? 2 : 1, least = node_.has_gate() ? 2 : 1;
    if (node_.inputs_size() < least || node_.inputs_size() > allowed) {
      return Invalid("node '", node_.name(), "' has ", node_.inputs_size(), " inputs, expected ", least, "..", allowed);
    }
    for (int i = 0; i < node_.inputs_size(); ++i) {
      const auto found = known_.find(node_.inputs(i));
      if (found == known_.end()) {
        return Invalid("node '", node_.name(), "' reads '", node_.inputs(i), "', which no earlier node computes");
      }
      if (IsSum(found->second) && !node_.has_linear() && !(node_.has_conv() && i == 0)) {
        return Invalid("node '", node_.name(), "' reads the sums of '", node_.inputs(i),
                       "'; only a linear node or a convolution may");
      }
      (i == 0 ? planned_.input : planned_.residual) = found->second;
    }
    planned_.has_residual = node_.inputs_size() == 2;
    planned_.in = ShapeOf(planned_.input);
    planned_.of_sums = node_.has_conv() && IsSum(planned_.input);
    if (!IsSum(planned_.input)) planned_.frames = plan_.frames;
    return absl::OkStatus();
  }

  // Convolutions sum in 32 bits; the linear node in 64, of which a simulation in doubles has 53.
  absl::Status CheckAccumulator(int64_t highest_input, int bits) const {
    // depth <= 2^30 and highest_input < 2^31, so the product needs the division to stay in int64.
    const int64_t limit = (int64_t{1} << (bits - 1)) - 1;
    if (planned_.depth > limit / kMaxWeightMagnitude / highest_input) {
      return Invalid("node '", node_.name(), "': sums of ", planned_.depth, " products of ", kMaxWeightMagnitude,
                     " and ", highest_input, " do not fit ", bits, " bits");
    }
    return absl::OkStatus();
  }

  absl::Status PlanGroups(const proto::Conv& conv) {
    if (conv.groups() == 0 || conv.groups() == 1) return absl::OkStatus();
    if (conv.groups() != planned_.in.channels || conv.groups() != conv.out_channels()) {
      return Invalid("node '", node_.name(), "': ", conv.groups(), " groups of ", planned_.in.channels, " input and ",
                     conv.out_channels(), " output channels; either 1 or, depthwise, as many as both");
    }
    planned_.depthwise = true;
    return absl::OkStatus();
  }

  absl::Status CheckOutputs(int64_t outputs) const {
    if (outputs < 1 || outputs > kMaxChannels) {
      return Invalid("node '", node_.name(), "': ", outputs, " outputs, expected 1..", kMaxChannels);
    }
    if (planned_.depth * outputs > kMaxWeights) {
      return Invalid("node '", node_.name(), "': ", planned_.depth * outputs, " weights exceed ", kMaxWeights);
    }
    return absl::OkStatus();
  }

  absl::Status PlanActivation(const proto::Conv& conv) {
    planned_.relu = !conv.without_relu();
    if (conv.has_activation()) {
      const absl::StatusOr<Activation> activation = ReadActivation(conv.activation());
      if (!activation.ok()) return Invalid("node '", node_.name(), "': ", activation.status().message());
      planned_.activation = *activation;
      planned_.relu = activation->is_clip();
    }
    planned_.has_zero = !planned_.relu;
    return absl::OkStatus();
  }

  absl::Status PlanSums(const proto::Conv& conv) {
    if (!planned_.of_sums) return CheckAccumulator(kHighestCode, 32);
    const bool plain = conv.kernel() == 1 && conv.stride() == 1 && conv.padding() == 0 && !planned_.depthwise;
    if (!plain || planned_.has_residual || plan_.frames > 1) {
      return Invalid("node '", node_.name(), "' reads the sums of '", node_.inputs(0),
                     "': accepted of still images by 1x1 of stride 1, without padding, addition and groups");
    }
    return CheckAccumulator(kHighestCode * plan_.PoolReadBy(planned_)->pooled(), 53);
  }

  absl::Status PlanConv(const proto::Conv& conv) {
    planned_.kind = NodeKind::kConv;
    if (conv.kernel() < 1 || conv.kernel() > 7) {
      return Invalid("node '", node_.name(), "': kernel ", conv.kernel(), " is outside 1..7");
    }
    if (conv.stride() < 1 || conv.stride() > 4) {
      return Invalid("node '", node_.name(), "': stride ", conv.stride(), " is outside 1..4");
    }
    if (conv.padding() < 0 || conv.padding() >= conv.kernel()) {
      return Invalid("node '", node_.name(), "': padding ", conv.padding(), " is outside 0..", conv.kernel() - 1);
    }
    planned_.kernel = conv.kernel();
    planned_.stride = conv.stride();
    planned_.padding = conv.padding();
    if (absl::Status status = PlanActivation(conv); !status.ok()) return status;
    if (absl::Status status = PlanGroups(conv); !status.ok()) return status;
    planned_.depth = int64_t{conv.kernel()} * conv.kernel() * (planned_.depthwise ? 1 : planned_.in.channels);
    if (absl::Status status = CheckOutputs(conv.out_channels()); !status.ok()) return status;
    if (absl::Status status = PlanSums(conv); !status.ok()) return status;
    const int64_t height = planned_.in.height + 2 * conv.padding() - conv.kernel();
    const int64_t width = planned_.in.width + 2 * conv.padding() - conv.kernel();
    if (height < 0 || width < 0) {
      return Invalid("node '", node_.name(), "': kernel ", conv.kernel(), " exceeds the padded input of ",
                     planned_.in.height, "x", planned_.in.width);
    }
    planned_.out = {height / conv.stride() + 1, width / conv.stride() + 1, conv.out_channels()};
    if (planned_.has_residual && ShapeOf(planned_.residual) != planned_.out) {
      const FeatureShape r = ShapeOf(planned_.residual);
      return Invalid("node '", node_.name(), "': adds a tensor of ", r.height, "x", r.width, "x", r.channels,
                     " to one of ", planned_.out.height, "x", planned_.out.width, "x", planned_.out.channels);
    }
    return absl::OkStatus();
  }

  absl::Status PlanMaxPool(const proto::MaxPool& pool) {
    planned_.kind = NodeKind::kMaxPool;
    if (pool.size() < 2 || pool.size() > 8) {
      return Invalid("node '", node_.name(), "': pool size ", pool.size(), " is outside 2..8");
    }
    if (pool.stride() < 0 || pool.stride() > 8) {
      return Invalid("node '", node_.name(), "': stride ", pool.stride(), " is outside 0..8");
    }
    if (pool.padding() < 0 || pool.padding() > pool.size() / 2) {
      return Invalid("node '", node_.name(), "': padding ", pool.padding(), " is outside 0..", pool.size() / 2);
    }
    const int64_t height = planned_.in.height + 2 * pool.padding(), width = planned_.in.width + 2 * pool.padding();
    if (pool.stride() == 0 && (height % pool.size() != 0 || width % pool.size() != 0)) {
      return Invalid("node '", node_.name(), "': input of ", height, "x", width, " is no multiple of pool size ",
                     pool.size());
    }
    if (height < pool.size() || width < pool.size()) {
      return Invalid("node '", node_.name(), "': pool size ", pool.size(), " exceeds the padded input of ", height, "x",
                     width);
    }
    const bool zero = HasZero(planned_.input) || (planned_.input == kNetworkInput && !plan_.padding_code.empty());
    if (pool.padding() > 0 && zero) {
      return Invalid("node '", node_.name(), "': padding of '", node_.inputs(0), "', whose code for 0 is not 0");
    }
    planned_.has_zero = HasZero(planned_.input);
    planned_.pool = pool.size();
    planned_.stride = pool.stride() == 0 ? pool.size() : pool.stride();
    planned_.padding = pool.padding();
    planned_.out = {(height - pool.size()) / planned_.stride + 1, (width - pool.size()) / planned_.stride + 1,
                    planned_.in.channels};
    return absl::OkStatus();
  }

  absl::Status PlanGlobalPool() {
    planned_.kind = NodeKind::kGlobalPool;
    planned_.out = {1, 1, planned_.in.channels};
    if (planned_.pooled() > ((int64_t{1} << 31) - 1) / kHighestCode) {
      return Invalid("node '", node_.name(), "': sums of ", planned_.pooled(), " codes do not fit 32 bits");
    }
    return absl::OkStatus();
  }

  absl::Status PlanGate() {
    planned_.kind = NodeKind::kGate;
    if (plan_.frames > 1) return Invalid("node '", node_.name(), "': a gate in a network of clips");
    const bool codes = planned_.input != kNetworkInput && planned_.residual != kNetworkInput;
    if (!codes || plan_.nodes[planned_.residual].kind != NodeKind::kConv) {
      return Invalid("node '", node_.name(), "': a gate of '", node_.inputs(0), "' and '", node_.inputs(1),
                     "'; accepted: of computed codes and of a convolution");
    }
    const FeatureShape factors = ShapeOf(planned_.residual);
    if (factors != FeatureShape{1, 1, planned_.in.channels}) {
      return Invalid("node '", node_.name(), "': factors of ", factors.height, "x", factors.width, "x",
                     factors.channels, ", expected 1x1x", planned_.in.channels);
    }
    planned_.out = planned_.in;
    planned_.has_zero = true;
    return absl::OkStatus();
  }

  absl::Status PlanLinear(const proto::Linear& linear) {
    planned_.kind = NodeKind::kLinear;
    planned_.kernel = 1;
    planned_.stride = 1;
    planned_.depth = planned_.in.elements();
    if (absl::Status status = CheckOutputs(linear.out_features()); !status.ok()) return status;
    int64_t highest = kHighestCode;
    if (const PlannedNode* pool = plan_.PoolReadBy(planned_)) highest *= pool->pooled();
    if (planned_.frames > 1) {
      return Invalid("node '", node_.name(), "' reads ", planned_.frames,
                     " frames; of clips it must read a global pool");
    }
    planned_.out = {1, 1, linear.out_features()};
    return CheckAccumulator(highest, 53);
  }

  const proto::Node& node_;
  const NetworkPlan& plan_;
  const std::map<std::string, int>& known_;
  PlannedNode planned_;
};

absl::Status CheckEnd(const NetworkSpec& spec, const NetworkPlan& plan) {
  std::vector<bool> used(plan.nodes.size(), false);
  for (const PlannedNode& node : plan.nodes) {
    if (node.input != kNetworkInput) used[node.input] = true;
    if (node.has_residual && node.residual != kNetworkInput) used[node.residual] = true;
  }
  used.back() = true;
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    if (!used[i]) return Invalid("nothing reads node '", plan.nodes[i].name, "'");
    if (plan.nodes[i].kind == NodeKind::kLinear && i + 1 != plan.nodes.size()) {
      return Invalid("node '", plan.nodes[i].name, "' is linear but not last");
    }
  }
  if (plan.nodes.back().kind != NodeKind::kLinear) {
    return Invalid("the last node, '", plan.nodes.back().name, "', is not linear");
  }
  if (spec.output().name().empty()) return Invalid("the network's output has no name");
  if (spec.output().shape_size() != 1 || spec.output().shape(0) != plan.classes()) {
    return Invalid("the network's output has shape [", absl::StrJoin(spec.output().shape(), ","),
                   "], its last node gives [", plan.classes(), "]");
  }
  if (spec.labels_size() != 0 && spec.labels_size() != plan.classes()) {
    return Invalid(spec.labels_size(), " labels for ", plan.classes(), " classes");
  }
  if (spec.has_float_input()) {
    if (absl::Status status = CheckFloatInput(spec.float_input(), plan.input.channels); !status.ok()) return status;
  }
  // Protocol buffers would lose invalid bytes.
  for (const std::string& label : spec.labels()) {
    if (!IsValidUtf8(label)) return Invalid("label '", absl::CHexEscape(label), "' is not valid UTF-8");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NetworkPlan> PlanNetwork(const NetworkSpec& spec) {
  NetworkPlan plan;
  if (absl::Status status = CheckName(spec.name(), "network", /*is_network=*/true); !status.ok()) return status;
  if (absl::Status status = PlanInput(spec.input(), plan); !status.ok()) return status;
  if (absl::Status status = PlanPadding(spec, plan); !status.ok()) return status;
  if (spec.nodes_size() < 1 || spec.nodes_size() > kMaxNodes) {
    return Invalid("network of ", spec.nodes_size(), " nodes, expected 1..", kMaxNodes);
  }
  std::map<std::string, int> known = {{"input", kNetworkInput}};
  int64_t elements = 0, weights = 0;
  for (const proto::Node& node : spec.nodes()) {
    if (absl::Status status = CheckName(node.name(), "node", /*is_network=*/false); !status.ok()) return status;
    absl::StatusOr<PlannedNode> planned = NodePlanner(node, plan, known).Plan();
    if (!planned.ok()) return planned.status();
    const int index = static_cast<int>(plan.nodes.size());
    if (!known.emplace(node.name(), index).second) return Invalid("two nodes are named '", node.name(), "'");
    if (planned->kind == NodeKind::kConv || planned->kind == NodeKind::kLinear) {
      planned->layer = static_cast<int>(plan.layers.size());
      plan.layers.push_back(index);
      plan.macs += planned->macs();
    }
    if (planned->kind == NodeKind::kGate) {
      planned->gate = static_cast<int>(plan.gates.size());
      plan.gates.push_back(index);
    }
    elements += planned->out.elements();
    if (planned->layer >= 0) weights += planned->weights();
    plan.nodes.push_back(*std::move(planned));
    if (elements > kMaxFrameElements) {
      return Invalid("node '", node.name(), "': one frame's tensors reach ", elements, " elements, the limit is ",
                     kMaxFrameElements);
    }
    if (elements * plan.frames > kMaxRowElements) {
      return Invalid("node '", node.name(), "': one row's tensors reach ", elements * plan.frames, " elements in ",
                     plan.frames, " frames, the limit is ", kMaxRowElements);
    }
    if (weights > kMaxWeights) {
      return Invalid("node '", node.name(), "': the network reaches ", weights, " weights, the limit is ", kMaxWeights);
    }
    if (plan.macs > kMaxMacs) {
      return Invalid("node '", node.name(), "': one row reaches ", plan.macs, " multiplications, the limit is ",
                     kMaxMacs);
    }
  }
  if (absl::Status status = CheckEnd(spec, plan); !status.ok()) return status;
  return plan;
}

}  // namespace anybit::model
