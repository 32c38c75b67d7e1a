// The artifact: one safetensors file that holds one adaptive-bit-width network.
//
// Tensors, for each conv and linear node N and each operating point P (O outputs):
//   store.N.weight        I8 [O, kernel, kernel, channels]   the int8 codes, from which all weights are derived;
//                         depthwise [O, kernel, kernel, 1], linear [O, inputs]
//   store.N.scale         F32 [O]                            value of one code step
//   full.N.weight         F32, shaped as store.N.weight      only where a full-precision point exists
//   P.N.scale, P.N.bias   F32 [O]                            the epilogue of model/format/requantize.h
//   P.N.residual_scale    F32 [1]                            likewise, where N adds a residual
// Metadata:
//   anybit.format         "1"
//   anybit.header         an ArtifactHeader (proto/artifact.proto) as JSON
//   anybit.crc32          eight hex digits: the CRC-32 of the header's text followed by the data section
// A program refuses headers with fields it does not know: a file that needs a newer program is recognized, and older
// files stay valid.
#ifndef ANYBIT_MODEL_FORMAT_ARTIFACT_H_
#define ANYBIT_MODEL_FORMAT_ARTIFACT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/artifact_contents.h"

namespace anybit::model {

// The file's text; `artifact` must be valid.
std::string SerializeArtifact(const Artifact& artifact);

// DataLoss for a damaged file, Unimplemented for a format we do not know, InvalidArgument for contents that do not fit
// together.
absl::StatusOr<Artifact> ParseArtifact(absl::string_view text);

// ParseArtifact of a file of at most 4 GiB; NotFound or PermissionDenied where it cannot be opened.
absl::StatusOr<Artifact> ReadArtifact(const std::string& path);

// Validates, writes beside `path`, then renames: a reader sees the old file or the new one.
absl::Status WriteArtifact(const Artifact& artifact, const std::string& path);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_ARTIFACT_H_
