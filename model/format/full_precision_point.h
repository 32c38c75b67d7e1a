// The point of an artifact that computes with its float weights.
#ifndef ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_
#define ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_

#include "model/format/artifact_contents.h"

namespace anybit::model {

// The first point of `artifact` with floats of 32 bits, else with bfloat16 numbers, or null.
inline const ArtifactPoint* FullPrecisionPoint(const Artifact& artifact) {
  const ArtifactPoint* found = nullptr;
  for (const ArtifactPoint& point : artifact.points) {
    if (point.full_precision && (found == nullptr || point.info.weight_bits > found->info.weight_bits)) found = &point;
  }
  return found;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_
