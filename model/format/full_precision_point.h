// The point of an artifact that computes with its float weights.
#ifndef ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_
#define ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_

#include "model/format/artifact_contents.h"

namespace anybit::model {

// The first full-precision point of `artifact`, or null.
inline const ArtifactPoint* FullPrecisionPoint(const Artifact& artifact) {
  for (const ArtifactPoint& point : artifact.points) {
    if (point.full_precision) return &point;
  }
  return nullptr;
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_FULL_PRECISION_POINT_H_
