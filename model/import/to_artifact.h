// Float layers as an artifact with one operating point, fp32.
#ifndef ANYBIT_MODEL_IMPORT_TO_ARTIFACT_H_
#define ANYBIT_MODEL_IMPORT_TO_ARTIFACT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/artifact_contents.h"
#include "model/import/float_layers.h"

namespace anybit::model {

// The artifact of `layers`, with a store of weights rounded to the nearest code. Nodes have the file's names, in small
// letters and with dots for other characters. InvalidArgument, naming the node, for weights that are not finite, and
// for a network that PlanNetwork refuses.
absl::StatusOr<Artifact> ToArtifact(FloatLayers layers, const std::string& name,
                                    const std::vector<std::string>& labels);

// `text` as a name of a network or a node: of [a-z0-9_.], at most 100 characters; "network" where nothing is left.
std::string LegalName(const std::string& text);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TO_ARTIFACT_H_
