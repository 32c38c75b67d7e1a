// ONNX models for tests, and what the importer makes of them.
//
// usage: onnx_networks of_artifact ARTIFACT FILE       the fp32 point of an artifact as an ONNX model
//        onnx_networks of_architecture ARCHITECTURE FILE  the same of random weights
//        onnx_networks of_graph mobile|branched|gated|shuffled FILE   see composed_graphs.h
//        onnx_networks run FILE                        u8 rows on stdin, float32 logits of the imported model on stdout
#include <cstdint>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/file.h"
#include "base/point_id.h"
#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/import/import_onnx.h"
#include "model/import/testing/artifact_to_onnx.h"
#include "model/import/testing/composed_graphs.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model {
namespace {

absl::Status OfArtifact(const std::string& path, const std::string& out) {
  const absl::StatusOr<Artifact> artifact = ReadArtifact(path);
  if (!artifact.ok()) return artifact.status();
  return ReplaceFile(out, ArtifactToOnnx(*artifact));
}

absl::Status OfArchitecture(const std::string& name, const std::string& out) {
  const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(name);
  if (!spec.ok()) return spec.status();
  return ReplaceFile(out, ArtifactToOnnx(RandomArtifact(*spec, /*seed=*/1)));
}

absl::Status Run(const std::string& path) {
  absl::StatusOr<ImportedNetwork> imported = ImportOnnx(path, {});
  if (!imported.ok()) return imported.status();
  const auto network = PackedNetwork::Create(std::move(imported->artifact), *SupportedKernels().front());
  if (!network.ok()) return network.status();
  const NetworkDescription& description = (*network)->description();
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  const std::vector<uint8_t> input(text.begin(), text.end());
  const auto rows = static_cast<int>(input.size() / description.input.elements);
  if (rows < 1) return absl::InvalidArgumentError("no row on standard input");
  std::vector<float> logits(rows * description.output.elements);
  const auto scratch = (*network)->MakeScratch(rows);
  if (absl::Status status = (*network)->Run(ToPointId(0), input, logits, *scratch); !status.ok()) return status;
  std::cout.write(reinterpret_cast<const char*>(logits.data()),
                  static_cast<std::streamsize>(logits.size() * sizeof(float)));
  return absl::OkStatus();
}

absl::Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "of_artifact") return OfArtifact(arguments[1], arguments[2]);
  if (arguments.size() == 3 && arguments[0] == "of_architecture") return OfArchitecture(arguments[1], arguments[2]);
  if (arguments.size() == 3 && arguments[0] == "of_graph") {
    const std::string& graph = arguments[1];
    return ReplaceFile(arguments[2], graph == "mobile"     ? MobileGraph()
                                     : graph == "gated"    ? GatedGraph()
                                     : graph == "shuffled" ? ShuffledGraph()
                                                           : BranchedGraph());
  }
  if (arguments.size() == 2 && arguments[0] == "run") return Run(arguments[1]);
  return absl::InvalidArgumentError(
      "usage: onnx_networks of_artifact ARTIFACT FILE | of_architecture ARCHITECTURE FILE | of_graph "
      "mobile|branched|gated|shuffled FILE | run FILE");
}

}  // namespace
}  // namespace anybit::model

int main(int argc, char** argv) {
  const absl::Status status = anybit::model::Main({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::cerr << status.message() << "\n";
  return 1;
}
