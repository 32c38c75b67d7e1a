// Shapes as ONNX's operators compute them from others.
#ifndef ANYBIT_MODEL_IMPORT_RESOLVE_SHAPES_H_
#define ANYBIT_MODEL_IMPORT_RESOLVE_SHAPES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/import/float_graph.h"

namespace anybit::model {

// An axis of a tensor of `rank` dimensions, which may be counted from the end. InvalidArgument for one beyond them.
absl::StatusOr<size_t> ResolveAxis(int64_t axis, size_t rank);

// The shape that `shape`, the argument of a Reshape, gives to a tensor of shape `from`: 0 keeps a dimension, -1 takes
// the rest. InvalidArgument where the elements are not the same number.
absl::StatusOr<std::vector<int64_t>> ResolveReshape(const std::vector<int64_t>& from, const std::vector<int64_t>& shape,
                                                    bool allow_zero);

// The shape without the dimensions `axes` of extent 1, or without all of them where `axes` is empty.
absl::StatusOr<std::vector<int64_t>> ResolveSqueeze(const std::vector<int64_t>& from, const std::vector<int64_t>& axes);

// The shape with dimensions of extent 1 at `axes` of the result.
absl::StatusOr<std::vector<int64_t>> ResolveUnsqueeze(const std::vector<int64_t>& from,
                                                      const std::vector<int64_t>& axes);

// The shape of a Flatten: dimensions before `axis`, and the others, which each become one.
absl::StatusOr<std::vector<int64_t>> ResolveFlatten(const std::vector<int64_t>& from, int64_t axis);

// The dimensions start..end of a shape, as Shape's attributes clamp them.
std::vector<int64_t> ResolveShape(const std::vector<int64_t>& from, int64_t start, int64_t end);

// The axes of a Squeeze, an Unsqueeze or a reduction: an attribute in older opsets, an input since.
std::vector<int64_t> AxesOf(const GraphNode& node, const Constant* input);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_RESOLVE_SHAPES_H_
