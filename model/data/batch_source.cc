#include "model/data/batch_source.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "model/data/mix_rows.h"
#include "model/data/read_rows.h"

namespace anybit::model {
namespace {

// Purposes of a seed: each has a random stream of its own.
enum Stream : uint64_t { kOrder = 1, kRow = 2, kShare = 3 };

uint64_t StreamSeed(uint64_t seed, Stream stream, int64_t index) {
  return MixSeed(MixSeed(seed, stream), static_cast<uint64_t>(index));
}

}  // namespace

absl::StatusOr<BatchSource> BatchSource::Create(const ExampleSet& examples, const BatchOptions& options) {
  if (options.batch < 1 || options.batch > examples.count()) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", options.batch, " does not fit ", examples.count(), " examples"));
  }
  if (options.world_size < 1 || options.rank < 0 || options.rank >= options.world_size) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", options.rank, " of ", options.world_size));
  }
  if (options.batch % options.world_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch of ", options.batch, " cannot be shared by ", options.world_size, " ranks"));
  }
  if (MixesRows(options.augmentation) && options.batch / options.world_size % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(options.augmentation.mixup != 0 ? "mixup" : "cutmix",
                                                   " takes pairs, and ", options.batch / options.world_size,
                                                   " rows of a rank are odd"));
  }
  if (absl::Status status = CheckAugmentation(options.augmentation, examples.shape()); !status.ok()) return status;
  const int of_use = examples.row_cost() == RowCost::kCopy ? 0 : ReadingThreads(examples.row_cost());
  return BatchSource(examples, options, options.threads.value_or(of_use));
}

BatchSource::BatchSource(const ExampleSet& examples, const BatchOptions& options, int threads)
    : examples_(&examples), options_(options), threads_(threads), order_(std::make_unique<EpochOrder>()) {}

absl::StatusOr<Minibatch> BatchSource::At(int64_t step) {
  const auto make = [examples = examples_, options = options_, threads = std::max(threads_, 1),
                     order = order_.get()](int64_t at) { return Make(*examples, options, threads, at, *order); };
  if (threads_ < 1) return make(step);
  absl::StatusOr<Minibatch> made;
  if (next_.valid()) made = next_.get();
  if (next_step_ != step) made = make(step);
  next_step_ = step + 1;
  next_ = std::async(std::launch::async, make, next_step_);
  return made;
}

absl::StatusOr<Minibatch> BatchSource::Make(const ExampleSet& examples, const BatchOptions& options, int threads,
                                            int64_t step, EpochOrder& order) {
  const int64_t per_epoch = examples.count() / options.batch;
  if (const int64_t epoch = step / per_epoch; epoch != order.epoch) {
    order = {epoch, RandomOrder(examples.count(), StreamSeed(options.seed, kOrder, epoch))};
  }
  const int64_t rows = options.batch / options.world_size, first = options.rank * rows;
  const int64_t* examples_of_step = order.order.data() + step % per_epoch * options.batch + first;
  const int64_t elements = examples.shape().elements();
  Minibatch minibatch{.images = std::vector<uint8_t>(rows * elements)};
  const auto row = [&](int64_t i) { return std::span(minibatch.images).subspan(i * elements, elements); };
  for (int64_t i = 0; i < rows; ++i) minibatch.labels.push_back(examples.label(examples_of_step[i]));
  absl::Status status = ForEachRow(rows, threads, [&](int64_t i) {
    if (absl::Status read = examples.Read(examples_of_step[i], row(i)); !read.ok()) return read;
    const uint64_t seed = StreamSeed(options.seed, kRow, step * options.batch + first + i);
    Augment(options.augmentation, examples.shape(), seed, row(i));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  if (MixesRows(options.augmentation)) {
    // Neighbours are mixed: in a random order they are random pairs, and one rank has both.
    const uint64_t seed = StreamSeed(options.seed, kShare, step);
    for (int64_t i = 0; i < rows; ++i) minibatch.other_labels.push_back(minibatch.labels[i ^ 1]);
    minibatch.share = MixPairs(options.augmentation, examples.shape(), seed, minibatch.images);
  }
  return minibatch;
}

}  // namespace anybit::model
