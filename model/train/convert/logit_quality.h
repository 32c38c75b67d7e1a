// How well an operating point gives the outputs of the float network, without labels.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_LOGIT_QUALITY_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_LOGIT_QUALITY_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/engine/adaptive_network.h"

namespace anybit::model::train {

struct LogitQuality {
  double agreement = 0;  // share of rows with the same first class
  double sqnr = 0;       // dB: power of the float logits over that of the differences, all rows together
};

// 10 log10(signal / noise), at most 120.
double DecibelsOf(double signal, double noise);

// Compares the logits of `rows`, [row][class].
LogitQuality CompareLogits(std::span<const float> exact, std::span<const float> logits, int classes);

// The logits of all of `rows` at `point`. The errors of Run and of ExampleSet::Read.
absl::StatusOr<std::vector<float>> LogitsOf(const AdaptiveNetwork& network, PointId point, const ExampleSet& rows);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_LOGIT_QUALITY_H_
