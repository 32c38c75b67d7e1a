#include "model/import/import_onnx.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/import/fuse_activations.h"
#include "model/import/read_onnx.h"
#include "model/import/to_artifact.h"

namespace anybit::model {
namespace {

// Leaves the output that is wanted.
absl::Status ChooseOutput(const std::string& wanted, FloatGraph& graph) {
  std::vector<std::string>& outputs = graph.outputs;
  if (!wanted.empty() && std::find(outputs.begin(), outputs.end(), wanted) != outputs.end()) outputs = {wanted};
  if (outputs.size() == 1 && (wanted.empty() || outputs[0] == wanted)) return absl::OkStatus();
  std::vector<std::string> names;
  for (const std::string& name : outputs) names.push_back(absl::StrCat("'", absl::Utf8SafeCEscape(name), "'"));
  const std::string listed = absl::StrJoin(names, ", ");
  if (wanted.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the network has ", outputs.size(), " outputs: ", listed,
                                                   "; accepted: one, which --output=NAME chooses"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--output: the network has no output '", absl::Utf8SafeCEscape(wanted), "'; it has ", listed));
}

absl::StatusOr<ImportedNetwork> Import(FloatGraph graph, const ImportOptions& options) {
  if (absl::Status status = ChooseOutput(options.output, graph); !status.ok()) return status;
  FuseActivations(graph);
  absl::StatusOr<FloatLayers> layers = LowerGraph(graph, options.scaling);
  if (!layers.ok()) return layers.status();
  const std::string name = options.name.empty() ? graph.name : options.name;
  graph = {};  // its weights are in the layers now
  ImportedNetwork network{
      .input_form = layers->input_form, .border = layers->border, .notes = layers->notes, .sparse = layers->sparse};
  absl::StatusOr<Artifact> artifact = ToArtifact(*std::move(layers), name, options.labels);
  if (!artifact.ok()) return artifact.status();
  network.artifact = *std::move(artifact);
  return network;
}

}  // namespace

absl::StatusOr<ImportedNetwork> ImportOnnx(const std::string& path, const ImportOptions& options) {
  absl::StatusOr<FloatGraph> graph = ReadOnnx(path);
  if (!graph.ok()) return graph.status();
  ImportOptions named = options;
  if (named.name.empty()) named.name = std::filesystem::path(path).stem().string();
  absl::StatusOr<ImportedNetwork> network = Import(*std::move(graph), named);
  if (network.ok()) return network;
  return absl::Status(network.status().code(), absl::StrCat("'", path, "': ", network.status().message()));
}

absl::StatusOr<ImportedNetwork> ImportOnnxText(absl::string_view text, const ImportOptions& options) {
  absl::StatusOr<FloatGraph> graph = ParseOnnx(text, "");
  if (!graph.ok()) return graph.status();
  return Import(*std::move(graph), options);
}

}  // namespace anybit::model
