// The points of an artifact by measured latency and test accuracy: the searched ones against the hull of the others.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_FRONT_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_FRONT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact_contents.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/search_report.h"

namespace anybit::model::train {

// `latency` has the points as uniform routes (MeasurePointLatency), of which batches of `rows` count. Points named in
// `uniform` make the hull; the others are searched, each by the method that its name without final digits names. Both
// scores are those of `test`. NotFound, naming it, for a point of `uniform` or of `latency` that is missing in the
// other or in the artifact; InvalidArgument without batches of `rows`; the errors of ScorePoints.
absl::StatusOr<SearchReport> FrontOf(const Artifact& artifact, const LayerLatency& latency, int rows,
                                     const std::vector<std::string>& uniform, const ExampleSet& test,
                                     const KernelTable& kernels, int threads);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_FRONT_H_
