// The best network of a run so far by its held-out images, as a copy of its tensors.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_BEST_NETWORK_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_BEST_NETWORK_H_

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "model/format/artifact.h"
#include "model/train/trainer/network_state.h"

namespace anybit::model::train {

// Copies the values of `from` into the tensors of `to`, which have the same shapes in the same order.
void CopyTensors(const NamedTensors& from, const NamedTensors& to);

// Correct answers of the measured `artifact` on the held-out images: of all its points for kMeanOfPoints, else of the
// point called `by`, which it has. A number that a checkpoint keeps exactly.
int64_t CorrectAnswers(const Artifact& artifact, const std::string& by);

class BestNetwork {
 public:
  // `network` has the tensors' shapes.
  explicit BestNetwork(const NamedTensors& network);

  // Copies `network`, which has the constructor's shapes, if it has more correct answers than the one before. The
  // earlier of two equal ones stays. Returns whether it was copied.
  bool Offer(int64_t step, int64_t correct, const NamedTensors& network);

  // The step of the copy; 0: there is none.
  int64_t step() const;

  // Copies the best network into the tensors of `network`.
  void CopyInto(const NamedTensors& network) const;

  // For a checkpoint, which keeps numbers up to 2^24 exactly: they can be read and written.
  NamedTensors State() const;

 private:
  NamedTensors tensors_;
  torch::Tensor record_;  // step / kStepUnit, step % kStepUnit, correct answers; on the networks' device
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_BEST_NETWORK_H_
