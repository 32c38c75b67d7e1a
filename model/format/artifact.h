// The artifact: one safetensors file that holds one adaptive-bit-width network.
//
// Tensors, for each conv and linear node N and each operating point P (O outputs):
//   store.N.weight   I8 [O, kernel, kernel, channels] (linear: [O, inputs])   the int8 codes, the only truth of the
//   weights;
//                    where depthwise [O, kernel, kernel, 1]
//   store.N.scale    F32 [O]                                                  value of one code step
//   full.N.weight    F32, as store.N.weight                                   only where a full-precision point exists
//   P.N.scale, P.N.bias  F32 [O], P.N.residual_scale F32 [1] (where N adds)   the epilogue of model/format/requantize.h
// Metadata: "anybit.format" = "1"; "anybit.header" = an ArtifactHeader (proto/artifact.proto) as JSON; "anybit.crc32" =
// eight hex digits, the CRC-32 of the header's text followed by the data section. A program refuses headers with fields
// it does not know, so a network that needs a newer program says so, and all others stay as they were.
#ifndef ANYBIT_MODEL_FORMAT_ARTIFACT_H_
#define ANYBIT_MODEL_FORMAT_ARTIFACT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/code_range.h"
#include "model/format/network_description.h"
#include "model/format/network_spec.h"
#include "model/format/operating_point.h"

namespace anybit {

// The weights of one layer, [out][depth] in the order of PlannedNode.
struct LayerStore {
  std::vector<int8_t> q8;
  std::vector<float> scale;  // [out], > 0
  std::vector<float> full;   // like q8, or empty
};

// One layer at one operating point.
struct LayerEpilogue {
  CodeRange weights;         // ignored at full precision
  int highest_code = 0;      // 1..255; 0 for the last layer and at full precision
  std::vector<float> scale;  // [out]; of quantized conv layers: ExactScale
  std::vector<float> bias;   // [out]
  float residual_scale = 0;  // where the node adds
};

struct ArtifactPoint {
  OperatingPoint info;
  bool full_precision = false;
  int64_t accuracy_images = 0;
  std::vector<LayerEpilogue> layers;  // by layer index of the plan
};

struct Artifact {
  NetworkSpec spec;
  int64_t version = 1;
  std::string trained_with;           // the command that made it
  std::string checksum;               // of the file it was read from; empty: of none
  std::vector<LayerStore> store;      // by layer index of the plan
  std::vector<ArtifactPoint> points;  // 1..64
};

// InvalidArgument, naming the offending value, unless `artifact` is complete and every engine can run it.
absl::Status ValidateArtifact(const Artifact& artifact);

// What clients and the server need to know; `artifact` must be valid.
NetworkDescription Describe(const Artifact& artifact);

// The file's text; `artifact` must be valid.
std::string SerializeArtifact(const Artifact& artifact);

// DataLoss for a damaged file, Unimplemented for a format we do not know, InvalidArgument for contents that do not fit
// together.
absl::StatusOr<Artifact> ParseArtifact(absl::string_view text);

// ParseArtifact of a file of at most 4 GiB; NotFound or PermissionDenied where it cannot be opened.
absl::StatusOr<Artifact> ReadArtifact(const std::string& path);

// Validates, writes beside `path`, then renames: a reader sees the old file or the new one.
absl::Status WriteArtifact(const Artifact& artifact, const std::string& path);

}  // namespace anybit

#endif  // ANYBIT_MODEL_FORMAT_ARTIFACT_H_
