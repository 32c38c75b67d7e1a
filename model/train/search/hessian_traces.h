// Traces of the loss's Hessian, layer by layer, as anybit-curvature writes them, and HAWQ-V2's penalties of them.
//
// After Dong et al., "HAWQ-V2: Hessian Aware trace-Weighted Quantization of Neural Networks", 2020: a layer at a rung
// costs the mean eigenvalue of its Hessian times the squared error of its weights. It says nothing of activations.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_HESSIAN_TRACES_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_HESSIAN_TRACES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/format/artifact_contents.h"
#include "model/train/search/methods.h"
#include "model/train/search/route.h"

namespace anybit::model::train {

struct HessianTraces {
  std::string network;  // its name
  int64_t images = 0;
  int samples = 0;
  uint64_t seed = 0;
  double seconds = 0;
  std::vector<std::string> layers;
  std::vector<double> traces;  // by layer
  std::vector<double> errors;  // their standard errors over samples
};

std::string HessianTracesJson(const HessianTraces& traces);

// InvalidArgument, naming what is wrong, for a text that HessianTracesJson did not write.
absl::StatusOr<HessianTraces> ParseHessianTraces(absl::string_view text);

// [layer][rung]: trace / weights x |codes x unit - W|^2, less that of the first rung. W are the float weights, or what
// the store holds where it has none. The unit of each filter is the one of least error: batch norm absorbs any. A
// negative trace, which chance can give, counts as 0. InvalidArgument where the traces are of other layers.
absl::StatusOr<Penalties> CurvaturePenalties(const Artifact& artifact, const LayerTree& tree, const Ladder& ladder,
                                             const HessianTraces& traces);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_HESSIAN_TRACES_H_
