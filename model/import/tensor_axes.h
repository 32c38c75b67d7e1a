// How the dimensions of a float network's tensor stand for the batch, channels, rows and columns of a feature map.
//
// Layers here have one layout; other tools permute and flatten. As long as a Reshape or a Transpose only rearranges, no
// layer is needed for it: the tensor's dimensions are followed, and the weights of the next layer are put in order.
#ifndef ANYBIT_MODEL_IMPORT_TENSOR_AXES_H_
#define ANYBIT_MODEL_IMPORT_TENSOR_AXES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/format/network_spec.h"

namespace anybit::model {

enum class Axis : uint8_t { kBatch, kChannel, kRow, kColumn };

// Every `stride`-th index of an axis, `extent` of them: a Reshape may split an axis into two parts.
struct AxisPart {
  Axis axis;
  int64_t extent = 1, stride = 1;
  friend bool operator==(const AxisPart&, const AxisPart&) = default;
};

class TensorAxes {
 public:
  // [batch, channels, rows, columns].
  static TensorAxes Map(int64_t batch, const FeatureShape& shape);
  // [batch, channels] of a map of one place.
  static TensorAxes Vector(int64_t batch, int64_t channels);

  std::vector<int64_t> shape() const;
  size_t rank() const { return dimensions_.size(); }
  const FeatureShape& map() const { return map_; }
  int64_t batch() const { return batch_; }

  // Whether the dimensions are batch, channels, rows and columns.
  bool IsMap() const;
  // Whether they are the batch and everything else.
  bool IsFlat() const;
  // Whether dimension `index` is exactly the channels.
  bool IsChannels(size_t index) const;

  // InvalidArgument where the new dimensions take no whole parts of the old ones.
  absl::StatusOr<TensorAxes> Reshaped(const std::vector<int64_t>& shape) const;
  // InvalidArgument unless `order` has every dimension once.
  absl::StatusOr<TensorAxes> Transposed(const std::vector<int64_t>& order) const;
  // The same map after its rows and columns have become one, by a mean over the dimensions `reduced`, which stay with
  // extent 1 or are dropped. InvalidArgument unless these are exactly the rows and columns.
  absl::StatusOr<TensorAxes> WithoutPlaces(const std::vector<bool>& reduced, bool keep) const;
  friend bool operator==(const TensorAxes&, const TensorAxes&) = default;

  // Of [batch, channels, rows, columns] with channels in another order: the map's channel for each; else empty.
  std::vector<int64_t> ShuffledChannels() const;

  // For each element of one row of the tensor its place in the map, in NHWC order.
  std::vector<int64_t> Places() const;

 private:
  TensorAxes(int64_t batch, const FeatureShape& map) : batch_(batch), map_(map) {}

  int64_t ExtentOf(Axis axis) const;
  // Without parts of extent 1, and with parts that follow each other as one.
  TensorAxes Merged() const;
  AxisPart Whole(Axis axis) const { return {axis, ExtentOf(axis), 1}; }
  // Whether dimension `index` is exactly `axis`, where an extent of 1 is nothing.
  bool Is(size_t index, Axis axis) const;

  int64_t batch_ = 1;
  FeatureShape map_;
  std::vector<std::vector<AxisPart>>
      dimensions_;  // parts of extent 1 are left out; parts that follow each other are one
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_TENSOR_AXES_H_
