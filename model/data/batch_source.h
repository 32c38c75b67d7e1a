// The examples of each training step and their augmentation, as a function of seed, step, rank and world size alone.
//
// An epoch is a random order of all examples, cut into batches; an incomplete last batch is dropped. The ranks of a
// data-parallel run take equal stretches of a batch. Augmentation depends on a row's place in the whole batch, so the
// ranks together see exactly the rows of a single process.
#ifndef ANYBIT_MODEL_DATA_BATCH_SOURCE_H_
#define ANYBIT_MODEL_DATA_BATCH_SOURCE_H_

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/augmentation.h"
#include "model/data/example_set.h"

namespace anybit::model {

// One rank's rows of one step. Under mixup and CutMix the loss of a row is share * loss(labels) + (1 - share) *
// loss(other_labels).
struct Minibatch {
  std::vector<uint8_t> images;  // rows of the set's shape, one after the other
  std::vector<int64_t> labels;
  std::vector<int64_t> other_labels;  // as many, or empty where no rows are mixed
  double share = 1;                   // of `labels`, the same for the whole batch
};

struct BatchOptions {
  int64_t batch = 128;  // rows of a step, over all ranks
  uint64_t seed = 1;
  int rank = 0;
  int world_size = 1;
  Augmentation augmentation;
  // Threads that make the next batch during training on this one; 0: At makes the batch. Unset: none for rows that are
  // copies, else ReadingThreads.
  std::optional<int> threads;
};

// Belongs to one thread.
class BatchSource {
 public:
  // `examples` must outlive it. InvalidArgument if the batch does not fit the examples, the ranks or the augmentation.
  static absl::StatusOr<BatchSource> Create(const ExampleSet& examples, const BatchOptions& options);
  BatchSource(BatchSource&&) = default;

  int64_t steps_per_epoch() const { return examples_->count() / options_.batch; }
  int64_t rows() const { return options_.batch / options_.world_size; }  // of this rank's part

  // This rank's part of step `step` >= 0. It does not depend on earlier calls. Errors are those of ExampleSet::Read.
  absl::StatusOr<Minibatch> At(int64_t step);

 private:
  // The order of one epoch, kept because the next step usually needs it again.
  struct EpochOrder {
    int64_t epoch = -1;
    std::vector<int64_t> order;
  };

  BatchSource(const ExampleSet& examples, const BatchOptions& options, int threads);

  static absl::StatusOr<Minibatch> Make(const ExampleSet& examples, const BatchOptions& options, int threads,
                                        int64_t step, EpochOrder& order);

  const ExampleSet* examples_;
  BatchOptions options_;
  int threads_;
  std::unique_ptr<EpochOrder> order_;  // used by the thread of next_ until that has been waited for
  int64_t next_step_ = -1;
  // Last: its destructor waits for the thread.
  std::future<absl::StatusOr<Minibatch>> next_;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_BATCH_SOURCE_H_
