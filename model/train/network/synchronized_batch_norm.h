// Batch norm whose statistics are those of the whole batch, though each process of a group holds only a part of it.
//
// Sums are all-reduced in forward and in backward, so that a group computes what one process would with all rows. Every
// process calls it the same number of times in the same order. Unequal parts are weighed by their rows.
#ifndef ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_
#define ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_

#include <torch/torch.h>

#include <stdexcept>

#include "model/train/processes/process_group.h"

namespace anybit {

// Says that the group has failed, through LibTorch, which knows exceptions only.
class GroupFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Replaces `tensor` by its sum over `group`. Throws GroupFailure where the group fails.
void SumOverGroup(ProcessGroup& group, const torch::Tensor& tensor);

// torch::batch_norm in training mode of x [N, C, ...]: gamma and beta [C]; `mean` and `variance` [C] move by
// `momentum` towards the statistics of the batch (variance over N - 1). gamma's and beta's gradients are of this
// process's rows, as those of other parameters are. `group` must outlive the backward pass. Throws GroupFailure where
// the group fails.
torch::Tensor SynchronizedBatchNorm(ProcessGroup& group, const torch::Tensor& x, const torch::Tensor& gamma,
                                    const torch::Tensor& beta, const torch::Tensor& mean, const torch::Tensor& variance,
                                    double momentum, double epsilon);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_NETWORK_SYNCHRONIZED_BATCH_NORM_H_
