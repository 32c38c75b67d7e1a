#include "model/import/tensor_axes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {

TensorAxes TensorAxes::Map(int64_t batch, const FeatureShape& shape) {
  TensorAxes axes(batch, shape);
  axes.dimensions_ = {
      {axes.Whole(Axis::kBatch)}, {axes.Whole(Axis::kChannel)}, {axes.Whole(Axis::kRow)}, {axes.Whole(Axis::kColumn)}};
  return axes.Merged();
}

TensorAxes TensorAxes::Vector(int64_t batch, int64_t channels) {
  TensorAxes axes(batch, {1, 1, channels});
  axes.dimensions_ = {{axes.Whole(Axis::kBatch)}, {axes.Whole(Axis::kChannel)}};
  return axes.Merged();
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
    for (const AxisPart& part : dimension) extent *= part.extent;
  }
  return shape;
}

bool TensorAxes::Is(size_t index, Axis axis) const {
  const std::vector<AxisPart>& dimension = dimensions_[index];
  return ExtentOf(axis) == 1 ? dimension.empty() : dimension == std::vector<AxisPart>{Whole(axis)};
}

bool TensorAxes::IsMap() const {
  return rank() == 4 && Is(0, Axis::kBatch) && Is(1, Axis::kChannel) && Is(2, Axis::kRow) && Is(3, Axis::kColumn);
}

bool TensorAxes::IsFlat() const { return rank() == 2 && Is(0, Axis::kBatch); }

bool TensorAxes::IsChannels(size_t index) const { return Is(index, Axis::kChannel); }

absl::StatusOr<TensorAxes> TensorAxes::Reshaped(const std::vector<int64_t>& shape) const {
  std::vector<AxisPart> rest;  // the next part stands last
  for (const auto& dimension : dimensions_) rest.insert(rest.end(), dimension.begin(), dimension.end());
  std::reverse(rest.begin(), rest.end());
  TensorAxes axes(batch_, map_);
  bool fits = true;
  for (const int64_t wanted : shape) {
    std::vector<AxisPart>& dimension = axes.dimensions_.emplace_back();
    int64_t extent = 1;
    while (fits && extent < wanted && !rest.empty()) {
      AxisPart& next = rest.back();
      const int64_t missing = wanted / extent;
      fits = wanted % extent == 0 && (missing % next.extent == 0 || next.extent % missing == 0);
      if (!fits) break;
      const int64_t taken = std::min(missing, next.extent);
      next.extent /= taken;
      dimension.push_back({next.axis, taken, next.stride * next.extent});
      extent *= taken;
      if (next.extent == 1) rest.pop_back();
    }
    fits = fits && extent == wanted;
  }
  if (!fits || !rest.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("a reshape of [", absl::StrJoin(this->shape(), ","), "] to [",
                                                   absl::StrJoin(shape, ","), "] splits a dimension"));
  }
  return axes.Merged();
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
    for (const AxisPart& part : dimensions_[i]) {
      if (part.axis != Axis::kRow && part.axis != Axis::kColumn) {
        return absl::InvalidArgumentError("a mean over channels or the batch");
      }
      places *= part.extent;
    }
    if (keep) axes.dimensions_.emplace_back();
  }
  if (places != map_.height * map_.width) return absl::InvalidArgumentError("a mean over a part of the map");
  return axes;
}

TensorAxes TensorAxes::Merged() const {
  TensorAxes axes(batch_, map_);
  for (const auto& dimension : dimensions_) {
    std::vector<AxisPart>& merged = axes.dimensions_.emplace_back();
    for (const AxisPart& part : dimension) {
      if (part.extent == 1) continue;
      AxisPart* const last = merged.empty() ? nullptr : &merged.back();
      if (last != nullptr && last->axis == part.axis && last->stride == part.stride * part.extent) {
        *last = {part.axis, last->extent * part.extent, part.stride};
      } else {
        merged.push_back(part);
      }
    }
  }
  return axes;
}

std::vector<int64_t> TensorAxes::ShuffledChannels() const {
  if (rank() != 4 || !Is(0, Axis::kBatch) || !Is(2, Axis::kRow) || !Is(3, Axis::kColumn)) return {};
  std::vector<int64_t> channels = {0};
  for (const AxisPart& part : dimensions_[1]) {
    if (part.axis != Axis::kChannel) return {};
    std::vector<int64_t> finer;
    for (const int64_t channel : channels) {
      for (int64_t step = 0; step < part.extent; ++step) finer.push_back(channel + step * part.stride);
    }
    channels = std::move(finer);
  }
  const bool all = static_cast<int64_t>(channels.size()) == map_.channels;
  return all && !std::is_sorted(channels.begin(), channels.end()) ? channels : std::vector<int64_t>{};
}

std::vector<int64_t> TensorAxes::Places() const {
  const auto stride_of = [&](Axis axis) -> int64_t {
    if (axis == Axis::kChannel) return 1;
    return axis == Axis::kColumn ? map_.channels : map_.channels * map_.width;
  };
  std::vector<int64_t> places = {0};
  for (const auto& dimension : dimensions_) {
    for (const AxisPart& part : dimension) {
      if (part.axis == Axis::kBatch) continue;
      const int64_t stride = stride_of(part.axis) * part.stride;
      std::vector<int64_t> finer;
      finer.reserve(places.size() * static_cast<size_t>(part.extent));
      for (const int64_t place : places) {
        for (int64_t step = 0; step < part.extent; ++step) finer.push_back(place + step * stride);
      }
      places = std::move(finer);
    }
  }
  return places;
}

}  // namespace anybit::model
