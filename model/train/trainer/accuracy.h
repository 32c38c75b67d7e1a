// Accuracies of a trained artifact on held-out images, by simulating the integers that would be served.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_ACCURACY_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_ACCURACY_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "model/data/example_set.h"
#include "model/format/artifact.h"

namespace anybit::model::train {

// Sets the accuracies of all points of `artifact`, or of the first ones where `stop` (may be null) becomes other than 0
// in between. The errors of TorchNetwork::Create and EvaluateTop1.
absl::Status MeasureAccuracies(Artifact& artifact, const ExampleSet& held_out, const std::atomic<int>* stop);

// "fp32 91.25% w4a4f 90.50%".
std::string AccuracyText(const Artifact& artifact);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_ACCURACY_H_
