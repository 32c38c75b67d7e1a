// The engine as an oracle for docs/examples/decode_artifact.py.
//
// usage: engine_logits run ARTIFACT POINT             u8 rows on stdin, float32 logits of each row on stdout
//        engine_logits write_random ARCHITECTURE|gated FILE  an artifact of random numbers
#include <cstdint>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/point_id.h"
#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"

namespace anybit {
namespace {

// Each layer as at another quantized point of `artifact`.
model::ArtifactPoint MixedPoint(const model::Artifact& artifact) {
  model::ArtifactPoint mixed = artifact.points.back();
  mixed.info.name = "mixed1";
  std::vector<const model::ArtifactPoint*> rungs;
  for (const model::ArtifactPoint& point : artifact.points) {
    if (!point.full_precision) rungs.push_back(&point);
  }
  for (size_t layer = 0; layer < mixed.layers.size(); ++layer) {
    mixed.layers[layer] = rungs[layer % rungs.size()]->layers[layer];
  }
  return mixed;
}

absl::Status WriteRandom(const std::string& architecture, const std::string& path) {
  const absl::StatusOr<model::NetworkSpec> spec =
      architecture == "gated" ? model::GatedNetwork() : model::ArchitectureByName(architecture);
  if (!spec.ok()) return spec.status();
  model::Artifact artifact = model::RandomArtifact(*spec, /*seed=*/1);
  model::AddBfloat16Point(artifact);
  artifact.points.push_back(MixedPoint(artifact));
  return model::WriteArtifact(artifact, path);
}

absl::Status RunPoint(const std::string& path, const std::string& name) {
  absl::StatusOr<model::Artifact> artifact = model::ReadArtifact(path);
  if (!artifact.ok()) return artifact.status();
  const auto network = model::PackedNetwork::Create(*std::move(artifact), *model::SupportedKernels().front());
  if (!network.ok()) return network.status();
  const model::NetworkDescription& description = (*network)->description();
  int point = 0;
  const int points = static_cast<int>(description.points.size());
  while (point < points && description.points[point].name != name) ++point;

  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  const std::vector<uint8_t> input(text.begin(), text.end());
  const auto rows = static_cast<int>(input.size() / description.input.elements);
  std::vector<float> logits(rows * description.output.elements);
  const auto scratch = (*network)->MakeScratch(rows);
  if (absl::Status status = (*network)->Run(ToPointId(point), input, logits, *scratch); !status.ok()) return status;
  std::cout.write(reinterpret_cast<const char*>(logits.data()),
                  static_cast<std::streamsize>(logits.size() * sizeof(float)));
  return absl::OkStatus();
}

absl::Status Main(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[0] == "run") return RunPoint(arguments[1], arguments[2]);
  if (arguments.size() == 3 && arguments[0] == "write_random") return WriteRandom(arguments[1], arguments[2]);
  return absl::InvalidArgumentError("usage: engine_logits run ARTIFACT POINT | write_random ARCHITECTURE FILE");
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  const absl::Status status = anybit::Main({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
