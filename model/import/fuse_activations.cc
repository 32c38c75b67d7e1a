#include "model/import/fuse_activations.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace anybit::model {
namespace {

class Fuser {
 public:
  explicit Fuser(FloatGraph& graph) : graph_(graph) {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!graph_.nodes[i].outputs.empty()) makers_[graph_.nodes[i].outputs[0]] = i;
    }
  }

  void Fuse() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      GraphNode& node = graph_.nodes[i];
      if (node.op == "Mul") FuseProduct(node);
      if (node.op == "Div" || node.op == "Mul") FuseScaled(node);
    }
    RemoveUnread();
  }

 private:
  const GraphNode* Maker(const std::string& value) const {
    const auto found = makers_.find(value);
    return found == makers_.end() ? nullptr : &graph_.nodes[found->second];
  }

  // The node of operator `op` that computes `value`, or null.
  const GraphNode* Maker(const std::string& value, const char* op) const {
    const GraphNode* maker = Maker(value);
    return maker != nullptr && maker->op == op && !maker->inputs.empty() ? maker : nullptr;
  }

  std::optional<float> Number(const std::string& value) const {
    const auto found = graph_.constants.find(value);
    if (found != graph_.constants.end()) {
      if (found->second->count() != 1) return std::nullopt;
      return found->second->AsFloat(0);
    }
    const GraphNode* maker = Maker(value);
    if (maker == nullptr || maker->op != "Constant" || !maker->Has("value")) return std::nullopt;
    const auto& tensor = maker->attributes.at("value").tensor;
    if (tensor == nullptr || tensor->count() != 1) return std::nullopt;
    return tensor->AsFloat(0);
  }

  // The other operand of a node with two, one of which is a number near `number`.
  std::optional<std::string> OtherThan(const GraphNode& node, double number, bool first_may_be = true) const {
    if (node.inputs.size() != 2) return std::nullopt;
    const auto is = [&](size_t i) {
      const std::optional<float> value = Number(node.inputs[i]);
      return value.has_value() && std::fabs(*value - number) <= 1e-5 * std::fabs(number);
    };
    if (is(1)) return node.inputs[0];
    if (first_may_be && is(0)) return node.inputs[1];
    return std::nullopt;
  }

  // x where `value` is Clip(x + 3, 0, 6).
  std::optional<std::string> ShiftedClip(const std::string& value) const {
    const GraphNode* clip = Maker(value, "Clip");
    if (clip == nullptr) return std::nullopt;
    const auto limit = [&](const char* name, size_t input) -> std::optional<float> {
      if (clip->Has(name)) return clip->Number(name, 0);
      return clip->HasInput(input) ? Number(clip->inputs[input]) : std::nullopt;
    };
    if (limit("min", 1) != 0.0f || limit("max", 2) != 6.0f) return std::nullopt;
    const GraphNode* sum = Maker(clip->inputs[0], "Add");
    return sum == nullptr ? std::nullopt : OtherThan(*sum, 3);
  }

  // x where `value` is 1 + Erf(x / sqrt(2)).
  std::optional<std::string> ShiftedErf(const std::string& value) const {
    const GraphNode* sum = Maker(value, "Add");
    if (sum == nullptr) return std::nullopt;
    const std::optional<std::string> erf_value = OtherThan(*sum, 1);
    const GraphNode* erf = erf_value.has_value() ? Maker(*erf_value, "Erf") : nullptr;
    if (erf == nullptr) return std::nullopt;
    if (const GraphNode* quotient = Maker(erf->inputs[0], "Div")) return OtherThan(*quotient, std::sqrt(2.0), false);
    if (const GraphNode* product = Maker(erf->inputs[0], "Mul")) return OtherThan(*product, std::sqrt(0.5));
    return std::nullopt;
  }

  static void Become(GraphNode& node, const char* op, const std::string& x) {
    node.op = op;
    node.inputs = {x};
    node.attributes.clear();
  }

  bool IsHardSigmoidOfSwish(const GraphNode& node) const {
    return std::fabs(node.Number("alpha", 0.2f) - 1.0f / 6) < 1e-6f && node.Number("beta", 0.5f) == 0.5f;
  }

  // x * g(x).
  void FuseProduct(GraphNode& node) const {
    if (node.inputs.size() != 2) return;
    for (const size_t i : {0u, 1u}) {
      const std::string x = node.inputs[i], g = node.inputs[1 - i];
      const GraphNode* maker = Maker(g);
      if (maker == nullptr || maker->inputs.empty() || maker->inputs[0] != x) {
        const GraphNode* tanh = Maker(g, "Tanh");
        const GraphNode* softplus = tanh == nullptr ? nullptr : Maker(tanh->inputs[0], "Softplus");
        if (softplus != nullptr && softplus->inputs[0] == x) return Become(node, "Mish", x);
        continue;
      }
      if (maker->op == "Sigmoid") return Become(node, kSilu, x);
      if (maker->op == "HardSigmoid" && IsHardSigmoidOfSwish(*maker)) return Become(node, "HardSwish", x);
    }
  }

  // The same with a number: (x * g) / 6, (x * g) * 0.5, (x * 0.5) * g, and g / 6.
  void FuseScaled(GraphNode& node) const {
    const bool divides = node.op == "Div";
    const auto scaled = [&](double factor) {
      return divides ? OtherThan(node, 1 / factor, false) : OtherThan(node, factor);
    };
    if (const std::optional<std::string> sixth = scaled(1.0 / 6)) {
      if (const std::optional<std::string> x = ShiftedClip(*sixth)) {
        Become(node, "HardSigmoid", *x);
        node.attributes["alpha"].number = 1.0f / 6;
        node.attributes["beta"].number = 0.5f;
        return;
      }
      const GraphNode* product = Maker(*sixth, "Mul");
      if (product == nullptr || product->inputs.size() != 2) return;
      for (const size_t i : {0u, 1u}) {
        if (ShiftedClip(product->inputs[1 - i]) == product->inputs[i]) {
          return Become(node, "HardSwish", std::string(product->inputs[i]));
        }
      }
      return;
    }
    if (const std::optional<std::string> half = scaled(0.5)) {
      const GraphNode* product = Maker(*half, "Mul");
      if (product == nullptr || product->inputs.size() != 2) return;
      for (const size_t i : {0u, 1u}) {
        if (ShiftedErf(product->inputs[1 - i]) == product->inputs[i]) {
          return Become(node, "Gelu", std::string(product->inputs[i]));
        }
      }
      return;
    }
    if (divides || node.inputs.size() != 2) return;
    // (x * 0.5) * (1 + Erf(...)).
    for (const size_t i : {0u, 1u}) {
      const GraphNode* halved = Maker(node.inputs[i], "Mul");
      const std::optional<std::string> x = halved == nullptr ? std::nullopt : OtherThan(*halved, 0.5);
      if (x.has_value() && ShiftedErf(node.inputs[1 - i]) == *x) return Become(node, "Gelu", std::string(*x));
    }
  }

  void RemoveUnread() {
    std::set<std::string> read(graph_.outputs.begin(), graph_.outputs.end());
    std::vector<GraphNode> kept;
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      GraphNode& node = graph_.nodes[i];
      const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](const std::string& output) { return read.contains(output); });
      if (!needed) continue;
      read.insert(node.inputs.begin(), node.inputs.end());
      kept.push_back(std::move(node));
    }
    std::reverse(kept.begin(), kept.end());
    graph_.nodes = std::move(kept);
  }

  FloatGraph& graph_;
  std::map<std::string, size_t> makers_;  // of each node's first output
};

}  // namespace

void FuseActivations(FloatGraph& graph) { Fuser(graph).Fuse(); }

}  // namespace anybit::model
