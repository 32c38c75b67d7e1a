#include "model/train/search/hessian_traces.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "model/format/code_range.h"

namespace anybit::model::train {
namespace {

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("traces: ", what)); }

absl::StatusOr<double> Number(const Json& of, const char* name) {
  const Json* value = JsonMember(of, name);
  if (value == nullptr || !value->is_number()) return Wrong(absl::StrCat("no number '", name, "'"));
  return value->get<double>();
}

// The least squared distance of W from multiples of its codes at `range`, summed over filters.
double SquaredError(const LayerStore& store, const CodeRange& range) {
  const size_t filters = store.scale.size(), depth = store.q8.size() / filters;
  double error = 0;
  for (size_t filter = 0; filter < filters; ++filter) {
    double squares = 0, codes = 0, product = 0;
    for (size_t i = filter * depth; i < (filter + 1) * depth; ++i) {
      const double weight =
          store.full.empty() ? double{store.scale[filter]} * store.q8[i] : static_cast<double>(store.full[i]);
      const double code = ChildCode(store.q8[i], range);
      squares += weight * weight;
      codes += code * code;
      product += weight * code;
    }
    error += squares - (codes > 0 ? product * product / codes : 0);
  }
  return std::max(0.0, error);
}

}  // namespace

std::string HessianTracesJson(const HessianTraces& traces) {
  Json layers = Json::array();
  for (size_t layer = 0; layer < traces.layers.size(); ++layer) {
    layers.push_back(
        {{"node", traces.layers[layer]}, {"trace", traces.traces[layer]}, {"error", traces.errors[layer]}});
  }
  const Json root = {{"network", traces.network}, {"images", traces.images},   {"samples", traces.samples},
                     {"seed", traces.seed},       {"seconds", traces.seconds}, {"layers", layers}};
  return root.dump(1) + "\n";
}

absl::StatusOr<HessianTraces> ParseHessianTraces(absl::string_view text) {
  const absl::StatusOr<Json> root = ParseJsonObject(text);
  if (!root.ok()) return root.status();
  const Json* network = JsonMember(*root, "network");
  if (network == nullptr || !network->is_string()) return Wrong("no text 'network'");
  HessianTraces traces{.network = network->get<std::string>()};
  const absl::StatusOr<double> images = Number(*root, "images"), samples = Number(*root, "samples"),
                               seed = Number(*root, "seed"), seconds = Number(*root, "seconds");
  for (const auto* number : {&images, &samples, &seed, &seconds}) {
    if (!number->ok()) return number->status();
  }
  traces.images = static_cast<int64_t>(*images);
  traces.samples = static_cast<int>(std::clamp(*samples, 0.0, 1e9));
  traces.seed = static_cast<uint64_t>(std::max(0.0, *seed));
  traces.seconds = *seconds;
  const Json* layers = JsonMember(*root, "layers");
  if (layers == nullptr || !layers->is_array()) return Wrong("no list 'layers'");
  for (const Json& layer : *layers) {
    const Json* node = JsonMember(layer, "node");
    if (node == nullptr || !node->is_string()) return Wrong("no text 'node'");
    const absl::StatusOr<double> trace = Number(layer, "trace"), error = Number(layer, "error");
    if (!trace.ok()) return trace.status();
    if (!error.ok()) return error.status();
    traces.layers.push_back(node->get<std::string>());
    traces.traces.push_back(*trace);
    traces.errors.push_back(*error);
  }
  return traces;
}

absl::StatusOr<Penalties> CurvaturePenalties(const Artifact& artifact, const LayerTree& tree, const Ladder& ladder,
                                             const HessianTraces& traces) {
  if (traces.layers != tree.names) {
    return Wrong(absl::StrCat("measured on '", traces.network, "', whose layers differ from the artifact's"));
  }
  Penalties penalties;
  for (int layer = 0; layer < tree.layers(); ++layer) {
    const LayerStore& store = artifact.store[layer];
    const double mean_eigenvalue = std::max(0.0, traces.traces[layer]) / static_cast<double>(store.q8.size());
    std::vector<double>& of_layer = penalties.emplace_back();
    for (const int point : ladder.points) {
      of_layer.push_back(mean_eigenvalue * SquaredError(store, artifact.points[point].layers[layer].weights));
    }
    const double first = of_layer.front();
    for (double& penalty : of_layer) penalty = tree.tied[layer] ? 0 : penalty - first;
  }
  return penalties;
}

}  // namespace anybit::model::train
