#include "model/import/tensor_axes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {

TensorAxes TensorAxes::Map(int64_t batch, const FeatureShape& shape) {
  TensorAxes axes(batch, shape);
  axes.dimensions_ = {{Axis::kBatch}, {Axis::kChannel}, {Axis::kRow}, {Axis::kColumn}};
  return axes.Stripped();
}

TensorAxes TensorAxes::Vector(int64_t batch, int64_t channels) {
  TensorAxes axes(batch, {1, 1, channels});
  axes.dimensions_ = {{Axis::kBatch}, {Axis::kChannel}};
  return axes.Stripped();
}

int64_t TensorAxes::ExtentOf(Axis axis) const {
  switch (axis) {
    case Axis::kBatch: return batch_;
    case Axis::kChannel: return map_.channels;
    case Axis::kRow: return map_.height;
    case Axis::kColumn: return map_.width;
  }
  return 1;
}

std::vector<int64_t> TensorAxes::shape() const {
  std::vector<int64_t> shape;
  for (const auto& dimension : dimensions_) {
    int64_t& extent = shape.emplace_back(1);
    for (const Axis axis : dimension) extent *= ExtentOf(axis);
  }
  return shape;
}

bool TensorAxes::Is(size_t index, Axis axis) const {
  const std::vector<Axis>& dimension = dimensions_[index];
  return ExtentOf(axis) == 1 ? dimension.empty() : dimension == std::vector<Axis>{axis};
}

bool TensorAxes::IsMap() const {
  return rank() == 4 && Is(0, Axis::kBatch) && Is(1, Axis::kChannel) && Is(2, Axis::kRow) && Is(3, Axis::kColumn);
}

bool TensorAxes::IsFlat() const { return rank() == 2 && Is(0, Axis::kBatch); }

bool TensorAxes::IsChannels(size_t index) const { return Is(index, Axis::kChannel); }

absl::StatusOr<TensorAxes> TensorAxes::Reshaped(const std::vector<int64_t>& shape) const {
  std::vector<Axis> all;
  for (const auto& dimension : dimensions_) all.insert(all.end(), dimension.begin(), dimension.end());
  TensorAxes axes(batch_, map_);
  auto next = all.begin();
  for (const int64_t wanted : shape) {
    std::vector<Axis>& dimension = axes.dimensions_.emplace_back();
    int64_t extent = 1;
    for (; extent < wanted && next != all.end(); ++next) {
      extent *= ExtentOf(*next);
      dimension.push_back(*next);
    }
    if (extent != wanted) next = all.end();
  }
  if (next != all.end() || axes.shape() != shape) {
    return absl::InvalidArgumentError(absl::StrCat("a reshape of [", absl::StrJoin(this->shape(), ","), "] to [",
                                                   absl::StrJoin(shape, ","), "] splits a dimension"));
  }
  return axes;
}

absl::StatusOr<TensorAxes> TensorAxes::Transposed(const std::vector<int64_t>& order) const {
  TensorAxes axes(batch_, map_);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool fits = sorted.size() == rank();
  for (size_t i = 0; fits && i < sorted.size(); ++i) fits = sorted[i] == static_cast<int64_t>(i);
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("permutation [", absl::StrJoin(order, ","), "] of ", rank(), " dimensions"));
  }
  for (const int64_t index : order) axes.dimensions_.push_back(dimensions_[index]);
  return axes;
}

absl::StatusOr<TensorAxes> TensorAxes::WithoutPlaces(const std::vector<bool>& reduced, bool keep) const {
  TensorAxes axes(batch_, {1, 1, map_.channels});
  int64_t places = 1;
  for (size_t i = 0; i < rank(); ++i) {
    if (!reduced[i]) {
      axes.dimensions_.push_back(dimensions_[i]);
      continue;
    }
    for (const Axis axis : dimensions_[i]) {
      if (axis != Axis::kRow && axis != Axis::kColumn) {
        return absl::InvalidArgumentError("a mean over channels or the batch");
      }
      places *= ExtentOf(axis);
    }
    if (keep) axes.dimensions_.emplace_back();
  }
  if (places != map_.height * map_.width) return absl::InvalidArgumentError("a mean over a part of the map");
  return axes;
}

TensorAxes TensorAxes::Stripped() const {
  TensorAxes axes(batch_, map_);
  for (const auto& dimension : dimensions_) {
    std::vector<Axis>& kept = axes.dimensions_.emplace_back();
    for (const Axis axis : dimension) {
      if (axes.ExtentOf(axis) != 1) kept.push_back(axis);
    }
  }
  return axes;
}

std::vector<int64_t> TensorAxes::Places() const {
  const auto stride_of = [&](Axis axis) -> int64_t {
    if (axis == Axis::kChannel) return 1;
    return axis == Axis::kColumn ? map_.channels : map_.channels * map_.width;
  };
  std::vector<int64_t> places = {0};
  for (const auto& dimension : dimensions_) {
    for (const Axis axis : dimension) {
      if (axis == Axis::kBatch) continue;
      std::vector<int64_t> finer;
      finer.reserve(places.size() * static_cast<size_t>(ExtentOf(axis)));
      for (const int64_t place : places) {
        for (int64_t step = 0; step < ExtentOf(axis); ++step) finer.push_back(place + step * stride_of(axis));
      }
      places = std::move(finer);
    }
  }
  return places;
}

}  // namespace anybit::model
