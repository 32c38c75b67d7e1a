#include "model/import/import_onnx.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/import/fuse_activations.h"
#include "model/import/read_onnx.h"
#include "model/import/to_artifact.h"

namespace anybit::model {
namespace {

absl::StatusOr<ImportedNetwork> Import(FloatGraph graph, const ImportOptions& options) {
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
