// Batch norm with the statistics of the whole batch, of which each process of a group holds only a part.
//
// Sums are all-reduced in forward and in backward, so that the group computes the same as one process with all rows.
// All processes must make the same calls in the same order. Parts of unequal size are weighted by their rows.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_

#include <torch/types.h>

#include <stdexcept>

#include "model/train/processes/process_group.h"

namespace anybit::model::train {

// Reports a failure of the group through LibTorch, which passes on only exceptions.
class GroupFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Replaces `tensor` by its sum over `group`. Throws GroupFailure where the group fails.
void SumOverGroup(ProcessGroup& group, const torch::Tensor& tensor);

// torch::batch_norm in training mode of x [N, C, ...] with gamma and beta [C]. `mean` and `variance` [C] move by
// `momentum` towards the statistics of the batch (variance over N - 1). The gradients of gamma and beta are those of
// this process's rows, as for other parameters. `group` must outlive the backward pass. Throws GroupFailure where the
// group fails.
torch::Tensor SynchronizedBatchNorm(ProcessGroup& group, const torch::Tensor& x, const torch::Tensor& gamma,
                                    const torch::Tensor& beta, const torch::Tensor& mean, const torch::Tensor& variance,
                                    double momentum, double epsilon);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_
