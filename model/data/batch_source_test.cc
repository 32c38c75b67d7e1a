#include "model/data/batch_source.h"

#include <algorithm>
#include <atomic>
#include <set>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

// Row i is flat and of value i, its label too.
MemoryExamples Numbered(int count, int64_t side = 4) {
  std::vector<uint16_t> labels;
  std::vector<uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(static_cast<uint16_t>(i));
    pixels.insert(pixels.end(), side * side, static_cast<uint8_t>(i));
  }
  return MemoryExamples({.height = side, .width = side}, std::move(labels), std::move(pixels));
}

// The same rows as if each had to be decoded; from `damaged` on they cannot be.
class Decoded final : public ExampleSet {
 public:
  explicit Decoded(const MemoryExamples& rows, int64_t damaged = 1000)
      : ExampleSet(rows.shape(), RowCost::kDecode, rows.classes(), Labels(rows), {}), rows_(rows), damaged_(damaged) {}

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override {
    ++reads;
    if (i >= damaged_) return absl::DataLossError(absl::StrCat("row ", i, " is damaged"));
    return rows_.Read(i, row);
  }

  mutable std::atomic<int> reads = 0;  // counted by all threads of a source

 private:
  static std::vector<uint16_t> Labels(const ExampleSet& rows) {
    std::vector<uint16_t> labels;
    for (int64_t i = 0; i < rows.count(); ++i) labels.push_back(static_cast<uint16_t>(rows.label(i)));
    return labels;
  }

  const MemoryExamples& rows_;
  const int64_t damaged_;
};

bool Same(const Minibatch& a, const Minibatch& b) {
  return a.images == b.images && a.labels == b.labels && a.other_labels == b.other_labels && a.share == b.share;
}

Augmentation Parsed(const char* text) { return *ParseAugmentation(text); }

TEST(BatchSource, ShowsEveryExampleOnceInAnEpochInAnotherOrderEachTime) {
  const MemoryExamples set = Numbered(12);
  BatchSource source = *BatchSource::Create(set, {.batch = 4});
  EXPECT_EQ(source.steps_per_epoch(), 3);
  std::vector<std::vector<int64_t>> epochs;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> seen;
    for (int step = 0; step < 3; ++step) {
      const Minibatch batch = *source.At(epoch * 3 + step);
      seen.insert(seen.end(), batch.labels.begin(), batch.labels.end());
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(batch.images[i * 16], batch.labels[i]);
    }
    epochs.push_back(seen);
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST(BatchSource, LeavesOutWhatFillsNoBatchAndTakesItInLaterEpochs) {
  const MemoryExamples set = Numbered(10);
  BatchSource source = *BatchSource::Create(set, {.batch = 4});
  EXPECT_EQ(source.steps_per_epoch(), 2);
  std::set<int64_t> seen;
  for (int step = 0; step < 20; ++step) {
    const Minibatch batch = *source.At(step);
    seen.insert(batch.labels.begin(), batch.labels.end());
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(BatchSource, IsAFunctionOfSeedAndStepWhateverWasAskedBefore) {
  const MemoryExamples set = Numbered(12, 8);
  for (int threads : {0, 1, 3}) {
    const BatchOptions options{
        .batch = 4,
        .augmentation = Parsed("crop=0.3,shift=2,mirror,randaugment=2:9,cutout=2,mixup=0.5,cutmix=1"),
        .threads = threads};
    BatchSource forward = *BatchSource::Create(set, options), backward = *BatchSource::Create(set, options);
    BatchOptions plain = options;
    plain.threads = 0;
    BatchSource plain_source = *BatchSource::Create(set, plain);
    BatchOptions other = options;
    other.seed = 2;
    BatchSource other_source = *BatchSource::Create(set, other);
    std::vector<Minibatch> batches;
    for (int step = 0; step < 9; ++step) batches.push_back(*forward.At(step));
    for (int step = 8; step >= 0; --step) {
      EXPECT_TRUE(Same(*backward.At(step), batches[step])) << threads << " " << step;
      EXPECT_TRUE(Same(*plain_source.At(step), batches[step])) << threads << " " << step;
      EXPECT_FALSE(Same(*other_source.At(step), batches[step]));
    }
  }
}

TEST(BatchSource, GivesTheRanksTogetherWhatOneProcessSees) {
  const MemoryExamples set = Numbered(40, 8);
  for (int world_size : {2, 4}) {
    BatchOptions options{.batch = 16, .augmentation = Parsed("crop=0.5,shift=2,mirror,erase=0.5,mixup=0.5,cutmix=1")};
    BatchSource whole = *BatchSource::Create(set, options);
    options.world_size = world_size;
    for (int step = 0; step < 5; ++step) {
      Minibatch joined;
      for (options.rank = 0; options.rank < world_size; ++options.rank) {
        BatchSource part = *BatchSource::Create(set, options);
        EXPECT_EQ(part.rows(), 16 / world_size);
        const Minibatch batch = *part.At(step);
        joined.images.insert(joined.images.end(), batch.images.begin(), batch.images.end());
        joined.labels.insert(joined.labels.end(), batch.labels.begin(), batch.labels.end());
        joined.other_labels.insert(joined.other_labels.end(), batch.other_labels.begin(), batch.other_labels.end());
        joined.share = batch.share;
      }
      EXPECT_TRUE(Same(joined, *whole.At(step))) << world_size << " " << step;
    }
  }
}

TEST(BatchSource, ChangesTheSameExampleDifferentlyInEachEpoch) {
  const MemoryExamples set = Numbered(2, 8);
  BatchSource source = *BatchSource::Create(set, {.batch = 2, .augmentation = Parsed("shift=3")});
  std::set<std::vector<uint8_t>> seen;
  for (int step = 0; step < 10; ++step) {
    const Minibatch batch = *source.At(step);
    const int64_t one = batch.labels[0] == 1 ? 0 : 64;
    seen.emplace(batch.images.begin() + one, batch.images.begin() + one + 64);
  }
  EXPECT_GT(seen.size(), 5u);
}

TEST(BatchSource, MixesPairsByTheShareItStates) {
  const MemoryExamples set = Numbered(200);
  BatchSource source = *BatchSource::Create(set, {.batch = 20, .augmentation = Parsed("mixup=1")});
  std::set<double> shares;
  for (int step = 0; step < 20; ++step) {
    const Minibatch batch = *source.At(step);
    shares.insert(batch.share);
    ASSERT_EQ(batch.other_labels.size(), 20u);
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_NE(batch.labels[i], batch.other_labels[i]);
      const double mixed = batch.share * static_cast<double>(batch.labels[i]) +
                           (1 - batch.share) * static_cast<double>(batch.other_labels[i]);
      EXPECT_NEAR(batch.images[i * 16], mixed, 0.51);
    }
  }
  EXPECT_GT(shares.size(), 15u);
  BatchSource plain = *BatchSource::Create(set, {.batch = 20});
  EXPECT_TRUE(plain.At(0)->other_labels.empty());
  EXPECT_EQ(plain.At(0)->share, 1);
}

TEST(BatchSource, ExchangesPartsOfPairsByTheShareItStates) {
  const MemoryExamples set = Numbered(200);
  BatchSource source = *BatchSource::Create(set, {.batch = 20, .augmentation = Parsed("cutmix=1")});
  std::set<double> shares;
  for (int step = 0; step < 20; ++step) {
    const Minibatch batch = *source.At(step);
    shares.insert(batch.share);
    ASSERT_EQ(batch.other_labels.size(), 20u);
    for (int i = 0; i < 20; ++i) {
      const auto begin = batch.images.begin() + i * 16, end = begin + 16;
      EXPECT_EQ(std::count(begin, end, batch.labels[i]), 16 * batch.share);
      EXPECT_EQ(std::count(begin, end, batch.other_labels[i]), 16 * (1 - batch.share));
    }
  }
  EXPECT_GT(shares.size(), 5u);
}

TEST(BatchSource, ReportsARowThatCannotBeReadAndGoesOn) {
  const MemoryExamples rows = Numbered(8);
  const Decoded set(rows, /*damaged=*/7);
  for (int threads : {0, 2}) {
    BatchSource source = *BatchSource::Create(set, {.batch = 4, .threads = threads});
    const absl::StatusOr<Minibatch> first = source.At(0), second = source.At(1);
    EXPECT_NE(first.ok(), second.ok()) << threads;
    const absl::Status status = first.ok() ? second.status() : first.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(status.message(), "row 7 is damaged");
  }
}

TEST(BatchSource, PreparesTheNextBatchWhereRowsAreDecoded) {
  const MemoryExamples rows = Numbered(12);
  const Decoded set(rows);
  {
    BatchSource source = *BatchSource::Create(set, {.batch = 4});
    for (int step = 0; step < 3; ++step) ASSERT_TRUE(source.At(step).ok());
  }  // waits for the batch on its way
  EXPECT_EQ(set.reads, 4 * 4);
  BatchSource idle = *BatchSource::Create(set, {.batch = 4, .threads = 0});
  ASSERT_TRUE(idle.At(0).ok());
  EXPECT_EQ(set.reads, 4 * 5);
}

TEST(BatchSource, NamesWhatDoesNotFit) {
  const MemoryExamples set = Numbered(10);
  const auto error = [&](const BatchOptions& options) {
    return std::string(BatchSource::Create(set, options).status().message());
  };
  EXPECT_EQ(error({.batch = 10}), "");
  EXPECT_EQ(error({.batch = 11}), "batch of 11 does not fit 10 examples");
  EXPECT_EQ(error({.batch = 0}), "batch of 0 does not fit 10 examples");
  EXPECT_EQ(error({.batch = 4, .rank = 2, .world_size = 2}), "rank 2 of 2");
  EXPECT_EQ(error({.batch = 4, .world_size = 3}), "batch of 4 cannot be shared by 3 ranks");
  EXPECT_EQ(error({.batch = 6, .world_size = 2, .augmentation = Parsed("mixup=0.2")}),
            "mixup takes pairs, and 3 rows of a rank are odd");
  EXPECT_EQ(error({.batch = 6, .world_size = 2, .augmentation = Parsed("cutmix=1")}),
            "cutmix takes pairs, and 3 rows of a rank are odd");
  EXPECT_EQ(error({.batch = 4, .augmentation = Parsed("shift=4")}),
            "augmentation 'shift=4': shift must be below and cutout at most 4 in pictures of 4x4x1");
}

}  // namespace
}  // namespace anybit::model
