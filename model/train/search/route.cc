#include "model/train/search/route.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace anybit::model::train {
namespace {

std::string PointNames(const Artifact& artifact) {
  return absl::StrJoin(artifact.points, ", ",
                       [](std::string* out, const ArtifactPoint& point) { absl::StrAppend(out, point.info.name); });
}

absl::Status AddRung(const Artifact& artifact, const std::string& name, Ladder& ladder) {
  const auto found = std::find_if(artifact.points.begin(), artifact.points.end(),
                                  [&](const ArtifactPoint& point) { return point.info.name == name; });
  if (found == artifact.points.end()) {
    return absl::NotFoundError(
        absl::StrCat("no operating point '", name, "' for a rung; the artifact has ", PointNames(artifact)));
  }
  if (found->full_precision) {
    return absl::InvalidArgumentError(
        absl::StrCat("operating point '", name, "' is full precision: it has no codes, so it cannot be a rung"));
  }
  if (std::find(ladder.names.begin(), ladder.names.end(), name) != ladder.names.end()) {
    return absl::InvalidArgumentError(absl::StrCat("rung '", name, "' is named twice"));
  }
  ladder.names.push_back(name);
  ladder.points.push_back(static_cast<int>(found - artifact.points.begin()));
  return absl::OkStatus();
}

}  // namespace

LayerTree TreeOf(const NetworkPlan& plan) {
  LayerTree tree;
  for (const int index : plan.layers) {
    const PlannedNode& node = plan.nodes[index];
    int source = node.input;
    while (source != kNetworkInput && plan.nodes[source].layer < 0) source = plan.nodes[source].input;
    tree.names.push_back(node.name);
    tree.source.push_back(source == kNetworkInput ? LayerTree::kImage : plan.nodes[source].layer);
    tree.tied.push_back(node.kind == NodeKind::kLinear && tree.source.back() != LayerTree::kImage);
  }
  return tree;
}

absl::StatusOr<Ladder> FindRungs(const Artifact& artifact, const std::vector<std::string>& names) {
  Ladder ladder;
  std::vector<std::string> wanted = names;
  if (wanted.empty()) {
    for (const ArtifactPoint& point : artifact.points) {
      if (!point.full_precision) wanted.push_back(point.info.name);
    }
  }
  for (const std::string& name : wanted) {
    if (absl::Status status = AddRung(artifact, name, ladder); !status.ok()) return status;
  }
  if (ladder.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(ladder.size(),
                                                   " rungs, expected at least 2 quantized points; the "
                                                   "artifact has ",
                                                   PointNames(artifact)));
  }
  return ladder;
}

Route UniformRoute(const LayerTree& tree, int rung) { return Route(tree.layers(), rung); }

void TieLayers(const LayerTree& tree, Route& route) {
  for (int layer = 0; layer < tree.layers(); ++layer) {
    if (tree.tied[layer]) route[layer] = route[tree.source[layer]];
  }
}

absl::Status CheckRoute(const LayerTree& tree, int rungs, const Route& route) {
  if (static_cast<int>(route.size()) != tree.layers()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a route of ", route.size(), " layers for a network of ", tree.layers()));
  }
  for (int layer = 0; layer < tree.layers(); ++layer) {
    if (route[layer] < 0 || route[layer] >= rungs) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer '", tree.names[layer], "': rung ", route[layer], " is outside 0..", rungs - 1));
    }
    if (tree.tied[layer] && route[layer] != route[tree.source[layer]]) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer '", tree.names[layer], "' must have the rung of '", tree.names[tree.source[layer]], "'"));
    }
  }
  return absl::OkStatus();
}

std::string RouteText(const Ladder& ladder, const Route& route) {
  return absl::StrJoin(route, ",", [&](std::string* out, int rung) { absl::StrAppend(out, ladder.names[rung]); });
}

absl::StatusOr<Route> ParseRoute(const LayerTree& tree, const Ladder& ladder, const std::string& text) {
  Route route;
  for (absl::string_view name : absl::StrSplit(text, ',')) {
    const auto found = std::find(ladder.names.begin(), ladder.names.end(), name);
    if (found == ladder.names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("rung '", name, "' is none of ", absl::StrJoin(ladder.names, ", ")));
    }
    route.push_back(static_cast<int>(found - ladder.names.begin()));
  }
  if (absl::Status status = CheckRoute(tree, ladder.size(), route); !status.ok()) return status;
  return route;
}

ArtifactPoint ComposeRoute(const Artifact& artifact, const Ladder& ladder, const Route& route,
                           const std::string& name) {
  ArtifactPoint point{.info = {.name = name, .weight_bits = 8, .activation_bits = 8}};
  const size_t last = route.size() - 1;
  for (size_t layer = 0; layer < route.size(); ++layer) {
    const ArtifactPoint& rung = artifact.points[ladder.points[route[layer]]];
    point.layers.push_back(rung.layers[layer]);
    const bool inner = layer > 0 && layer < last;
    if (inner) point.info.weight_bits = std::min(point.info.weight_bits, rung.info.weight_bits);
    if (layer < last) point.info.activation_bits = std::min(point.info.activation_bits, rung.info.activation_bits);
  }
  return point;
}

}  // namespace anybit::model::train
