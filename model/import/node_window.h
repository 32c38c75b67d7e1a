// The window of a convolution or a pool, from its node's attributes.
#ifndef ANYBIT_MODEL_IMPORT_NODE_WINDOW_H_
#define ANYBIT_MODEL_IMPORT_NODE_WINDOW_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/import/float_graph.h"
#include "model/import/square_window.h"
#include "model/import/tensor_axes.h"

namespace anybit::model {

struct NodeWindow {
  WindowSide rows, columns;

  bool padded() const { return rows.before + rows.behind + columns.before + columns.behind > 0; }
  int64_t places() const { return rows.size * columns.size; }
  // Whether it is one window, of the whole map.
  bool covers() const;
};

// The window of `node` over `axes`, with `kernel` rows and columns, or those of kernel_shape where it is empty. With
// ceil_mode the padding behind is as large as the last windows need. InvalidArgument, naming the node, unless it has
// two sides and the map is [batch, channels, rows, columns].
absl::StatusOr<NodeWindow> WindowOf(const GraphNode& node, const TensorAxes& axes, std::vector<int64_t> kernel);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_IMPORT_NODE_WINDOW_H_
