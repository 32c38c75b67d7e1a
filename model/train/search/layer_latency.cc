#include "model/train/search/layer_latency.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"

namespace anybit::model::train {
namespace {

// Microseconds to the nanosecond.
double Rounded(double us) { return std::round(us * 1000) / 1000; }

Json ToJson(const LayerLatency& latency, const BatchLatency& batch) {
  Json layers = Json::array();
  for (size_t layer = 0; layer < latency.layers.size(); ++layer) {
    Json us = Json::array();
    for (const std::vector<double>& of_rung : batch.layers[layer]) {
      Json row = Json::array();
      for (const double time : of_rung) row.push_back(Rounded(time));
      us.push_back(row);
    }
    layers.push_back({{"node", latency.layers[layer]}, {"us", us}});
  }
  Json whole = Json::array();
  for (const RouteLatency& route : batch.whole) {
    whole.push_back({{"route", route.route},
                     {"measured_us", Rounded(route.measured_us)},
                     {"predicted_us", Rounded(route.predicted_us)}});
  }
  return {{"rows", batch.rows}, {"base_us", Rounded(batch.base_us)}, {"layers", layers}, {"whole", whole}};
}

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("latencies: ", what)); }

absl::StatusOr<std::string> Text(const Json& of, const char* name) {
  const Json* value = JsonMember(of, name);
  if (value == nullptr || !value->is_string()) return Wrong(absl::StrCat("no text '", name, "'"));
  return value->get<std::string>();
}

absl::StatusOr<double> Number(const Json& of, const char* name) {
  const Json* value = JsonMember(of, name);
  if (value == nullptr || !value->is_number()) return Wrong(absl::StrCat("no number '", name, "'"));
  return value->get<double>();
}

absl::StatusOr<const Json*> Array(const Json& of, const char* name) {
  const Json* value = JsonMember(of, name);
  if (value == nullptr || !value->is_array()) return Wrong(absl::StrCat("no list '", name, "'"));
  return value;
}

// "us" of one layer: a square of times.
absl::StatusOr<std::vector<std::vector<double>>> Times(const Json& layer, size_t rungs) {
  const absl::StatusOr<const Json*> rows = Array(layer, "us");
  if (!rows.ok()) return rows.status();
  std::vector<std::vector<double>> times;
  for (const Json& row : **rows) {
    if (!row.is_array() || row.size() != rungs) return Wrong(absl::StrCat("a list of times has not ", rungs));
    std::vector<double>& of_rung = times.emplace_back();
    for (const Json& time : row) {
      if (!time.is_number() || !(time.get<double>() >= 0)) return Wrong("a time is not a number of at least 0");
      of_rung.push_back(time.get<double>());
    }
  }
  if (times.size() != rungs) return Wrong(absl::StrCat(times.size(), " lists of times for ", rungs, " rungs"));
  return times;
}

absl::Status ParseWhole(const Json& json, BatchLatency& batch) {
  const absl::StatusOr<const Json*> whole = Array(json, "whole");
  if (!whole.ok()) return whole.status();
  for (const Json& entry : **whole) {
    const absl::StatusOr<std::string> route = Text(entry, "route");
    if (!route.ok()) return route.status();
    const absl::StatusOr<double> measured = Number(entry, "measured_us"), predicted = Number(entry, "predicted_us");
    if (!measured.ok()) return measured.status();
    if (!predicted.ok()) return predicted.status();
    batch.whole.push_back({.route = *route, .measured_us = *measured, .predicted_us = *predicted});
  }
  return absl::OkStatus();
}

// Layers must be named alike in all batches.
absl::Status ParseBatch(const Json& json, LayerLatency& latency) {
  BatchLatency batch;
  const absl::StatusOr<double> rows = Number(json, "rows"), base = Number(json, "base_us");
  if (!rows.ok()) return rows.status();
  if (!base.ok()) return base.status();
  batch.rows = static_cast<int>(std::clamp(*rows, 0.0, 1e6));
  batch.base_us = *base;
  const absl::StatusOr<const Json*> layers = Array(json, "layers");
  if (!layers.ok()) return layers.status();
  std::vector<std::string> names;
  for (const Json& layer : **layers) {
    const absl::StatusOr<std::string> node = Text(layer, "node");
    if (!node.ok()) return node.status();
    names.push_back(*node);
    absl::StatusOr<std::vector<std::vector<double>>> times = Times(layer, latency.rungs.size());
    if (!times.ok()) return times.status();
    batch.layers.push_back(*std::move(times));
  }
  if (!latency.batches.empty() && names != latency.layers) return Wrong("batches of different layers");
  latency.layers = names;
  if (absl::Status status = ParseWhole(json, batch); !status.ok()) return status;
  latency.batches.push_back(std::move(batch));
  return absl::OkStatus();
}

}  // namespace

double BatchLatency::Predict(const LayerTree& tree, const Route& route) const {
  double total = base_us;
  for (int layer = 0; layer < tree.layers(); ++layer)
    total += layers[layer][route[layer]][tree.InputRung(route, layer)];
  return total;
}

std::string LayerLatencyJson(const LayerLatency& latency) {
  Json batches = Json::array();
  for (const BatchLatency& batch : latency.batches) batches.push_back(ToJson(latency, batch));
  const Json root = {{"network", latency.network},
                     {"isa", latency.isa},
                     {"processor", latency.processor},
                     {"rungs", latency.rungs},
                     {"batches", batches}};
  return root.dump(1) + "\n";
}

absl::StatusOr<LayerLatency> ParseLayerLatency(absl::string_view text) {
  const absl::StatusOr<Json> root = ParseJsonObject(text);
  if (!root.ok()) return root.status();
  const absl::StatusOr<std::string> network = Text(*root, "network"), isa = Text(*root, "isa"),
                                    processor = Text(*root, "processor");
  for (const auto* field : {&network, &isa, &processor}) {
    if (!field->ok()) return field->status();
  }
  LayerLatency latency{.network = *network, .isa = *isa, .processor = *processor};
  const absl::StatusOr<const Json*> rungs = Array(*root, "rungs"), batches = Array(*root, "batches");
  if (!rungs.ok()) return rungs.status();
  if (!batches.ok()) return batches.status();
  for (const Json& rung : **rungs) {
    if (!rung.is_string()) return Wrong("the name of a rung is no text");
    latency.rungs.push_back(rung.get<std::string>());
  }
  for (const Json& batch : **batches) {
    if (absl::Status status = ParseBatch(batch, latency); !status.ok()) return status;
  }
  return latency;
}

absl::StatusOr<BatchLatency> LatencyFor(const LayerLatency& latency, const LayerTree& tree, const Ladder& ladder,
                                        int rows) {
  if (latency.layers != tree.names) {
    return Wrong(absl::StrCat("measured on '", latency.network, "', whose layers differ from the artifact's"));
  }
  std::vector<size_t> places;  // of the ladder's rungs in the measurement
  for (const std::string& name : ladder.names) {
    const auto found = std::find(latency.rungs.begin(), latency.rungs.end(), name);
    if (found == latency.rungs.end()) {
      return Wrong(absl::StrCat("no rung '", name, "'; measured: ", absl::StrJoin(latency.rungs, ", ")));
    }
    places.push_back(found - latency.rungs.begin());
  }
  for (const BatchLatency& batch : latency.batches) {
    if (batch.rows != rows) continue;
    BatchLatency chosen{.rows = rows, .base_us = batch.base_us, .whole = batch.whole};
    for (const auto& layer : batch.layers) {
      std::vector<std::vector<double>>& times = chosen.layers.emplace_back();
      for (const size_t own : places) {
        std::vector<double>& of_rung = times.emplace_back();
        for (const size_t input : places) of_rung.push_back(layer[own][input]);
      }
    }
    return chosen;
  }
  const auto sizes = [](std::string* out, const BatchLatency& batch) { absl::StrAppend(out, batch.rows); };
  return Wrong(absl::StrCat("no batches of ", rows, " rows; measured: ", absl::StrJoin(latency.batches, ", ", sizes)));
}

}  // namespace anybit::model::train
