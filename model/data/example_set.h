// Labelled examples as rows of u8 codes: in memory, in folders of image files, or drawn on demand.
//
// A row is [frames, height, width, channels]; a still image is one frame. Labels and class names are in memory for
// every kind of set. Rows are read one at a time, from any thread, because a folder of images may exceed memory.
#ifndef ANYBIT_MODEL_DATA_EXAMPLE_SET_H_
#define ANYBIT_MODEL_DATA_EXAMPLE_SET_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace anybit::model {

struct ExampleShape {
  int64_t frames = 1;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 1;

  int64_t elements() const { return frames * height * width * channels; }
  friend bool operator==(const ExampleShape&, const ExampleShape&) = default;
};

// "32x32x1", with several frames "8x32x32x1".
std::string ToText(const ExampleShape& shape);

enum class Split : uint8_t { kTrain, kTest };

// The cost of reading a row: a copy, or work that several threads should share (decoding a file, drawing a clip).
enum class RowCost : uint8_t { kCopy, kDecode };

class ExampleSet {
 public:
  static constexpr int kMaxClasses = 65'535;

  virtual ~ExampleSet() = default;

  const ExampleShape& shape() const { return shape_; }
  int64_t count() const { return static_cast<int64_t>(labels_.size()); }
  int label(int64_t i) const { return labels_[i]; }
  int classes() const { return classes_; }  // every label is below it
  // One per class, or empty where the source has none.
  const std::vector<std::string>& class_names() const { return class_names_; }
  RowCost row_cost() const { return row_cost_; }
  // One line for a log: where the rows come from, and which files there were skipped. Empty where it was not set.
  const std::string& origin() const { return origin_; }
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  // Writes row `i`, 0 <= i < count(), to the shape().elements() bytes of `row`: the same bytes every time. Any thread.
  // NotFound or DataLoss, naming the file and what is wrong with it.
  virtual absl::Status Read(int64_t i, std::span<uint8_t> row) const = 0;

  // The errors of Read, without the row; some sets do this at less cost. Any thread.
  virtual absl::Status Check(int64_t i) const;

 protected:
  // Labels below `classes`; `class_names` empty or one per class.
  ExampleSet(ExampleShape shape, RowCost row_cost, int classes, std::vector<uint16_t> labels,
             std::vector<std::string> class_names)
      : shape_(shape),
        row_cost_(row_cost),
        classes_(classes),
        labels_(std::move(labels)),
        class_names_(std::move(class_names)) {}
  ExampleSet(ExampleSet&&) = default;
  ExampleSet& operator=(ExampleSet&&) = default;

 private:
  ExampleShape shape_;
  RowCost row_cost_;
  int classes_;
  std::vector<uint16_t> labels_;
  std::vector<std::string> class_names_;
  std::string origin_;
};

class MemoryExamples final : public ExampleSet {
 public:
  // `pixels` are labels.size() rows, one after the other. Without names, the highest label determines the number of
  // classes.
  MemoryExamples(ExampleShape shape, std::vector<uint16_t> labels, std::vector<uint8_t> pixels,
                 std::vector<std::string> class_names = {});
  MemoryExamples(MemoryExamples&&) = default;
  MemoryExamples& operator=(MemoryExamples&&) = default;

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override;
  absl::Status Check(int64_t i) const override { return absl::OkStatus(); }

  // `n` rows from `first` on.
  std::span<const uint8_t> rows(int64_t first, int64_t n) const {
    return std::span(pixels_).subspan(first * shape().elements(), n * shape().elements());
  }

 private:
  std::vector<uint8_t> pixels_;
};

// Some rows of another set, in a given order. Copies labels, not rows.
class Subset final : public ExampleSet {
 public:
  Subset(const ExampleSet& whole, std::vector<int64_t> indices);  // `whole` must outlive it
  Subset(std::unique_ptr<const ExampleSet> whole, std::vector<int64_t> indices);

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override { return whole_->Read(indices_[i], row); }
  absl::Status Check(int64_t i) const override { return whole_->Check(indices_[i]); }

  const std::vector<int64_t>& indices() const { return indices_; }

 private:
  std::unique_ptr<const ExampleSet> owned_;  // null where the caller owns the whole
  const ExampleSet* whole_;
  std::vector<int64_t> indices_;
};

// A training set in two parts: rows to train on, and rows for every choice between networks.
struct HeldOutSplit {
  Subset training;
  Subset held_out;
};

// Holds out `held_out` rows, 0..whole.count(), drawn evenly from the whole, since folders are sorted by class. The rows
// depend on count() only, not on a seed: networks trained with different seeds are compared on the same rows, and none
// was trained on them.
HeldOutSplit HoldOut(const ExampleSet& whole, int64_t held_out);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_EXAMPLE_SET_H_
