#include "model/format/artifact_contents.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/format/bit_width.h"
#include "model/format/float_input_spec.h"
#include "model/format/invalid.h"
#include "model/format/requantize.h"

namespace anybit::model {
namespace {

constexpr size_t kMaxPoints = 64;                       // the scheduler's point sets have 64 bits
constexpr int64_t kMaxPanelWeights = int64_t{1} << 32;  // weights times points: an engine may have to pack all of them

bool AllFinite(const std::vector<float>& values) {
  for (float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

absl::Status CheckCount(absl::string_view what, size_t got, int64_t expected) {
  if (static_cast<int64_t>(got) == expected) return absl::OkStatus();
  return Invalid(what, " has ", got, " values, expected ", expected);
}

absl::Status CheckStore(const LayerStore& store, const PlannedNode& node, bool needs_full) {
  const std::string name = absl::StrCat("store of '", node.name, "'");
  if (absl::Status s = CheckCount(name, store.q8.size(), node.weights()); !s.ok()) return s;
  if (absl::Status s = CheckCount(absl::StrCat(name, " scale"), store.scale.size(), node.out.channels); !s.ok())
    return s;
  for (float scale : store.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) return Invalid(name, ": scale ", scale, " is not a positive number");
  }
  if (!needs_full && store.full.empty()) return absl::OkStatus();
  if (absl::Status s = CheckCount(absl::StrCat(name, " full precision"), store.full.size(), node.weights()); !s.ok()) {
    return s;
  }
  if (!AllFinite(store.full)) return Invalid(name, ": a full-precision weight is not finite");
  return absl::OkStatus();
}

absl::Status CheckTable(const LayerEpilogue& layer, const PlannedNode& node, const std::string& name) {
  const bool tabled = node.activation.is_tabled();
  if (absl::Status s = CheckCount(absl::StrCat(name, " table"), layer.table.size(), tabled ? kTableCodes : 0);
      !s.ok()) {
    return s;
  }
  if (layer.zero_code < 0 || layer.zero_code > (tabled ? layer.highest_code : 0)) {
    return Invalid(name, ": code ", layer.zero_code, " for 0 is outside 0..", tabled ? layer.highest_code : 0);
  }
  for (const uint8_t code : layer.table) {
    if (code > layer.highest_code) {
      return Invalid(name, ": code ", int{code}, " of the table exceeds ", layer.highest_code);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEpilogue(const LayerEpilogue& layer, const PlannedNode& node, const ArtifactPoint& point) {
  const std::string name = absl::StrCat("point '", point.info.name, "', node '", node.name, "'");
  if (absl::Status s = CheckCount(absl::StrCat(name, " scale"), layer.scale.size(), node.out.channels); !s.ok())
    return s;
  if (absl::Status s = CheckCount(absl::StrCat(name, " bias"), layer.bias.size(), node.out.channels); !s.ok()) return s;
  if (!AllFinite(layer.scale) || !AllFinite(layer.bias) || !std::isfinite(layer.residual_scale)) {
    return Invalid(name, ": a scale or bias is not finite");
  }
  if (point.full_precision) return absl::OkStatus();
  if (absl::Status s = ValidateCodeRange(layer.weights); !s.ok()) return Invalid(name, ": ", s.message());
  if (node.kind == NodeKind::kLinear) return absl::OkStatus();
  if (layer.highest_code < 1 || layer.highest_code > 255) {
    return Invalid(name, ": highest activation code ", layer.highest_code, " is outside 1..255");
  }
  for (float scale : layer.scale) {
    if (!IsExactScale(scale)) return Invalid(name, ": scale ", scale, " is not 48 times a number of 21 bits");
  }
  return CheckTable(layer, node, name);
}

absl::Status CheckGates(const ArtifactPoint& point, const NetworkPlan& plan) {
  const int64_t expected = point.full_precision ? 0 : static_cast<int64_t>(plan.gates.size());
  if (absl::Status s = CheckCount(absl::StrCat("point '", point.info.name, "': gates"), point.gates.size(), expected);
      !s.ok()) {
    return s;
  }
  for (size_t i = 0; i < point.gates.size(); ++i) {
    const GateEpilogue& gate = point.gates[i];
    const std::string name = absl::StrCat("point '", point.info.name, "', node '", plan.nodes[plan.gates[i]].name, "'");
    if (!std::isfinite(gate.scale)) return Invalid(name, ": scale ", gate.scale, " is not finite");
    if (gate.highest_code < 1 || gate.highest_code > 255) {
      return Invalid(name, ": highest activation code ", gate.highest_code, " is outside 1..255");
    }
    if (gate.zero_code < 0 || gate.zero_code > gate.highest_code) {
      return Invalid(name, ": code ", gate.zero_code, " for 0 is outside 0..", gate.highest_code);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPoint(const ArtifactPoint& point, const NetworkPlan& plan) {
  const OperatingPoint& info = point.info;
  if (absl::Status s = CheckPointName(info.name); !s.ok()) return s;
  for (int bits : {info.weight_bits, info.activation_bits}) {
    if (absl::Status s = BitWidth::FromBits(bits).status(); !s.ok()) {
      return Invalid("point '", info.name, "': ", s.message());
    }
  }
  if ((info.weight_bits > 8) != point.full_precision) {
    return Invalid("point '", info.name, "': ", info.weight_bits, " weight bits do not fit its precision");
  }
  if (point.full_precision && info.activation_bits != info.weight_bits) {
    return Invalid("point '", info.name, "': ", info.activation_bits, " activation bits, but ", info.weight_bits,
                   " weight bits at full precision");
  }
  if (!(info.accuracy >= 0 && info.accuracy <= 1)) {
    return Invalid("point '", info.name, "': accuracy ", info.accuracy, " is outside 0..1");
  }
  if (absl::Status s = CheckCount(absl::StrCat("point '", info.name, "': layer list"), point.layers.size(),
                                  static_cast<int64_t>(plan.layers.size()));
      !s.ok()) {
    return s;
  }
  for (size_t i = 0; i < point.layers.size(); ++i) {
    if (absl::Status s = CheckEpilogue(point.layers[i], plan.layer(static_cast<int>(i)), point); !s.ok()) return s;
  }
  return CheckGates(point, plan);
}

}  // namespace

absl::Status ValidateArtifact(const Artifact& artifact) {
  absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  if (artifact.version < 1) return Invalid("network version ", artifact.version, " is below 1");
  if (artifact.points.empty() || artifact.points.size() > kMaxPoints) {
    return Invalid(artifact.points.size(), " operating points, expected 1..", kMaxPoints);
  }
  int64_t weights = 0;
  for (int index : plan->layers) weights += plan->nodes[index].weights();
  if (weights * static_cast<int64_t>(artifact.points.size()) > kMaxPanelWeights) {
    return Invalid(artifact.points.size(), " operating points of ", weights, " weights exceed ", kMaxPanelWeights);
  }
  bool needs_full = false;
  std::set<std::string> names;
  for (const ArtifactPoint& point : artifact.points) {
    if (absl::Status s = CheckPoint(point, *plan); !s.ok()) return s;
    if (!names.insert(point.info.name).second) return Invalid("two operating points are named '", point.info.name, "'");
    needs_full |= point.full_precision;
  }
  if (absl::Status s =
          CheckCount("the store's layer list", artifact.store.size(), static_cast<int64_t>(plan->layers.size()));
      !s.ok()) {
    return s;
  }
  for (size_t i = 0; i < artifact.store.size(); ++i) {
    if (absl::Status s = CheckStore(artifact.store[i], plan->layer(static_cast<int>(i)), needs_full); !s.ok()) return s;
  }
  return absl::OkStatus();
}

NetworkDescription Describe(const Artifact& artifact) {
  NetworkDescription description;
  description.name = artifact.spec.name();
  description.version = artifact.version;
  description.checksum = artifact.checksum;
  for (const auto& [tensor, out] : {std::pair(&artifact.spec.input(), &description.input),
                                    std::pair(&artifact.spec.output(), &description.output)}) {
    out->name = tensor->name();
    out->elements = 1;
    for (int64_t extent : tensor->shape()) {
      out->shape.push_back(extent);
      out->elements *= extent;
    }
  }
  if (artifact.spec.has_float_input()) {
    description.floats = DescribeFloatInput(artifact.spec.float_input(), description.input.shape);
  }
  description.labels.assign(artifact.spec.labels().begin(), artifact.spec.labels().end());
  for (const ArtifactPoint& point : artifact.points) description.points.push_back(point.info);
  return description;
}

}  // namespace anybit::model
