// ImportOnnxText: any bytes are refused, or become an artifact that every engine can run.
#include "absl/strings/string_view.h"
#include "model/format/artifact_contents.h"
#include "model/import/import_onnx.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<anybit::model::ImportedNetwork> network = anybit::model::ImportOnnxText(text, {});
  if (!network.ok()) {
    anybit::Require(!network.status().message().empty(), "a refusal says why");
    return 0;
  }
  anybit::Require(anybit::model::ValidateArtifact(network->artifact).ok(), "an imported network is valid");
  return 0;
}
