#include "model/import/node_window.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxValue = int64_t{1} << 20;

template <typename... Parts>
absl::Status Refuse(const GraphNode& node, const Parts&... reason) {
  return absl::InvalidArgumentError(absl::StrCat(Describe(node), ": ", reason...));
}

// Attribute `name` of `node` with `count` values of lowest..2^20; `otherwise` each where it is not given.
absl::StatusOr<std::vector<int64_t>> Values(const GraphNode& node, const char* name, size_t count, int64_t lowest,
                                            int64_t otherwise) {
  std::vector<int64_t> values = node.Integers(name);
  if (values.empty()) values.assign(count, otherwise);
  const bool fits = std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= lowest && v <= kMaxValue; });
  if (values.size() == count && fits) return values;
  return Refuse(node, name, " [", absl::StrJoin(values, ","), "]; accepted: ", count, " values of ", lowest, "..",
                kMaxValue, ", of two-dimensional windows");
}

// Padding that gives ceil(extent / stride) windows; an odd place goes behind, or before.
void PadToSame(WindowSide& side, bool upper) {
  const int64_t outputs = (side.extent + side.stride - 1) / side.stride;
  const int64_t padding = std::max<int64_t>(0, (outputs - 1) * side.stride + side.reach() - side.extent);
  side.before = upper ? padding / 2 : padding - padding / 2;
  side.behind = padding - side.before;
}

// Padding behind that completes a window that begins inside the map or the padding before it.
void PadToCeil(WindowSide& side) {
  const int64_t span = side.extent + side.before + side.behind - side.reach();
  if (span < 0 || span % side.stride == 0) return;
  const int64_t begin = (span / side.stride + 1) * side.stride;
  if (begin >= side.extent + side.before) return;
  side.behind += side.stride - span % side.stride;
}

}  // namespace

bool NodeWindow::covers() const {
  return !padded() && rows.size == rows.extent && columns.size == columns.extent && rows.dilation == 1 &&
         columns.dilation == 1;
}

absl::StatusOr<NodeWindow> WindowOf(const GraphNode& node, const TensorAxes& axes, std::vector<int64_t> kernel) {
  if (!axes.IsMap()) {
    return Refuse(node, "its input is not arranged as [batch, channels, rows, columns]; accepted: that");
  }
  if (kernel.empty()) kernel = node.Integers("kernel_shape");
  if (kernel.size() != 2 || kernel[0] < 1 || kernel[1] < 1 || kernel[0] > kMaxValue || kernel[1] > kMaxValue) {
    return Refuse(node, "a window of [", absl::StrJoin(kernel, ","), "]; accepted: two-dimensional ones");
  }
  const absl::StatusOr<std::vector<int64_t>> strides = Values(node, "strides", 2, 1, 1);
  if (!strides.ok()) return strides.status();
  const absl::StatusOr<std::vector<int64_t>> dilations = Values(node, "dilations", 2, 1, 1);
  if (!dilations.ok()) return dilations.status();
  const absl::StatusOr<std::vector<int64_t>> pads = Values(node, "pads", 4, 0, 0);
  if (!pads.ok()) return pads.status();
  const auto side = [&](size_t i, int64_t extent) {
    return WindowSide{.extent = extent,
                      .size = kernel[i],
                      .stride = (*strides)[i],
                      .dilation = (*dilations)[i],
                      .before = (*pads)[i],
                      .behind = (*pads)[i + 2]};
  };
  NodeWindow window{side(0, axes.map().height), side(1, axes.map().width)};
  const std::string automatic = node.Text("auto_pad", "NOTSET");
  for (WindowSide* s : {&window.rows, &window.columns}) {
    if (automatic == "VALID") s->before = s->behind = 0;
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") PadToSame(*s, automatic == "SAME_UPPER");
    if (node.Integer("ceil_mode", 0) != 0) PadToCeil(*s);
    if (s->outputs() < 1) return Refuse(node, "its window of ", s->reach(), " exceeds the padded map of ", s->extent);
  }
  return window;
}

}  // namespace anybit::model
