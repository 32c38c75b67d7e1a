#include "model/train/trainer/start.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/format/full_precision_point.h"
#include "model/format/network_spec.h"
#include "model/train/network/trainable_network.h"
#include "model/train/recipe/recipe.h"
#include "model/train/trainer/checkpoint.h"
#include "model/train/trainer/network_state.h"

namespace anybit::model::train {
namespace {

// The computation of a node. A start fits a network if its nodes have the same descriptions.
std::string Describe(const PlannedNode& node) {
  constexpr const char* kKinds[] = {"convolution", "max pool", "global pool", "linear layer", "gate"};
  static_assert(static_cast<int>(NodeKind::kConv) == 0 && static_cast<int>(NodeKind::kMaxPool) == 1 &&
                static_cast<int>(NodeKind::kGlobalPool) == 2 && static_cast<int>(NodeKind::kLinear) == 3 &&
                static_cast<int>(NodeKind::kGate) == 4);
  return absl::StrCat(kKinds[static_cast<int>(node.kind)], " '", node.name, "' of ", node.in.channels, "x",
                      node.in.height, "x", node.in.width, " to ", node.out.channels, "x", node.out.height, "x",
                      node.out.width, ", kernel ", node.kernel, " stride ", node.stride,
                      node.depthwise ? " depthwise" : "", node.relu ? "" : " without ReLU",
                      node.activation.is_none() ? "" : " with ",
                      node.activation.is_none() ? "" : proto::Activation::Function_Name(node.activation.function));
}

}  // namespace

std::optional<PointIndex> FindFullPrecision(const std::vector<PointRecipe>& points) {
  // That of the most bits.
  const auto bits = [](const PointRecipe& p) { return p.full_precision ? p.weight_bits : 0; };
  const auto found = std::max_element(points.begin(), points.end(),
                                      [&](const PointRecipe& a, const PointRecipe& b) { return bits(a) < bits(b); });
  if (found == points.end() || !found->full_precision) return std::nullopt;
  return static_cast<PointIndex>(found - points.begin());
}

std::vector<PointRecipe> WithStart(std::vector<PointRecipe> points) {
  if (!FindFullPrecision(points).has_value()) {
    points.push_back({.name = kStartName, .full_precision = true, .weight_bits = 32, .activation_bits = 32});
  }
  return points;
}

absl::Status CheckStart(const NetworkSpec& spec, const Artifact& start) {
  if (FullPrecisionPoint(start) == nullptr) {
    return absl::InvalidArgumentError("the artifact to start from has no full-precision point");
  }
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec), other = PlanNetwork(start.spec);
  if (!other.ok()) return other.status();
  const auto differ = [&](const std::string& theirs, const std::string& ours) {
    return absl::InvalidArgumentError(absl::StrCat("the artifact to start from is of network '", start.spec.name(),
                                                   "' with ", theirs, ", not '", spec.name(), "' with ", ours));
  };
  if (plan->nodes.size() != other->nodes.size()) {
    return differ(absl::StrCat(other->nodes.size(), " nodes"), absl::StrCat(plan->nodes.size()));
  }
  for (size_t i = 0; i < plan->nodes.size(); ++i) {
    const std::string ours = Describe(plan->nodes[i]), theirs = Describe(other->nodes[i]);
    if (ours != theirs) return differ(absl::StrCat("a ", theirs), absl::StrCat("a ", ours));
  }
  return absl::OkStatus();
}

absl::StatusOr<Artifact> FullPrecisionOf(const std::string& checkpoint, const NetworkSpec& spec) {
  absl::StatusOr<Checkpoint> read = ReadCheckpoint(checkpoint);
  if (!read.ok()) return read.status();
  if (absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec); !plan.ok()) return plan.status();
  try {
    // Tensor names contain the point's name, so this network's only point has the name that the run's point had.
    std::vector<PointRecipe> points = WithStart({});
    for (const auto& [name, tensor] : read->tensors) {
      if (name.starts_with("network.fp32_")) points[0].name = "fp32";
    }
    // The function of a network with centred weights differs from that of its uncentred weights.
    const bool centred = absl::StrContains(read->identity, ",center=1");
    TrainableNetwork network(spec, points, *ParseRecipe(centred ? "separate,center=1" : "separate"), /*seed=*/1);
    for (const auto& [name, tensor] : NetworkState(network)) {
      if (absl::Status status = Restore(*read, name, tensor); !status.ok()) return status;
    }
    return network->Export();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
  }
}

}  // namespace anybit::model::train
