#include "model/import/resolve_shapes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {
namespace {

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

constexpr int64_t kMaxElements = int64_t{1} << 62;

// The number of elements; -1 for an extent below 0, or beyond kMaxElements without those of 0.
int64_t Product(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && product > kMaxElements / extent)) return -1;
    product *= std::max<int64_t>(1, extent);
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? product : 0;
}

// Which of `rank` dimensions are among `axes`.
absl::StatusOr<std::vector<bool>> Marked(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<bool> marked(rank, false);
  for (const int64_t axis : axes) {
    const absl::StatusOr<size_t> resolved = ResolveAxis(axis, rank);
    if (!resolved.ok()) return resolved.status();
    if (marked[*resolved]) return Refused("axis ", axis, " is given twice");
    marked[*resolved] = true;
  }
  return marked;
}

}  // namespace

absl::StatusOr<size_t> ResolveAxis(int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) return Refused("axis ", axis, " of a tensor of ", rank, " dimensions");
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

absl::StatusOr<std::vector<int64_t>> ResolveReshape(const std::vector<int64_t>& from, const std::vector<int64_t>& shape,
                                                    bool allow_zero) {
  std::vector<int64_t> to = shape;
  const auto refused = [&] {
    return Refused("a reshape of [", absl::StrJoin(from, ","), "] to [", absl::StrJoin(shape, ","), "]");
  };
  size_t open = to.size();
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == 0 && !allow_zero) {
      if (i >= from.size()) return refused();
      to[i] = from[i];
    }
    if (to[i] != -1 || open != to.size()) continue;
    open = i;
    to[i] = 1;
  }
  const int64_t count = Product(from), known = Product(to);
  if (count < 0 || known < 0) return refused();
  if (open < to.size()) {
    if (known == 0 || count % known != 0) return refused();
    to[open] = count / known;
  } else if (known != count) {
    return refused();
  }
  return to;
}

absl::StatusOr<std::vector<int64_t>> ResolveSqueeze(const std::vector<int64_t>& from,
                                                    const std::vector<int64_t>& axes) {
  const absl::StatusOr<std::vector<bool>> marked = Marked(axes, from.size());
  if (!marked.ok()) return marked.status();
  std::vector<int64_t> to;
  for (size_t i = 0; i < from.size(); ++i) {
    if ((*marked)[i] && from[i] != 1) return Refused("a squeeze of a dimension of ", from[i]);
    const bool dropped = axes.empty() ? from[i] == 1 : (*marked)[i];
    if (!dropped) to.push_back(from[i]);
  }
  return to;
}

absl::StatusOr<std::vector<int64_t>> ResolveUnsqueeze(const std::vector<int64_t>& from,
                                                      const std::vector<int64_t>& axes) {
  constexpr size_t kMaxRank = 64;
  if (from.size() + axes.size() > kMaxRank) return Refused("more than ", kMaxRank, " dimensions");
  const absl::StatusOr<std::vector<bool>> marked = Marked(axes, from.size() + axes.size());
  if (!marked.ok()) return marked.status();
  std::vector<int64_t> to;
  auto next = from.begin();
  for (const bool added : *marked) to.push_back(added ? 1 : *next++);
  return to;
}

absl::StatusOr<std::vector<int64_t>> ResolveFlatten(const std::vector<int64_t>& from, int64_t axis) {
  const auto rank = static_cast<int64_t>(from.size());
  if (axis < -rank || axis > rank) return Refused("axis ", axis, " of a tensor of ", rank, " dimensions");
  const auto split = from.begin() + (axis < 0 ? axis + rank : axis);
  const int64_t before = Product({from.begin(), split}), behind = Product({split, from.end()});
  if (before < 0 || behind < 0) return Refused("a tensor of shape [", absl::StrJoin(from, ","), "]");
  return std::vector<int64_t>{before, behind};
}

std::vector<int64_t> ResolveShape(const std::vector<int64_t>& from, int64_t start, int64_t end) {
  const auto rank = static_cast<int64_t>(from.size());
  const auto clamped = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const int64_t first = clamped(start);
  return {from.begin() + first, from.begin() + std::max(first, clamped(end))};
}

std::vector<int64_t> AxesOf(const GraphNode& node, const Constant* input) {
  return input != nullptr && input->integer ? input->integers : node.Integers("axes");
}

}  // namespace anybit::model
