#include "model/engine/adaptive_network.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {

absl::Status CheckPoint(const NetworkDescription& network, PointId point) {
  if (ToIndex(point) < static_cast<int>(network.points.size())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("operating point ", ToIndex(point), " of ", network.points.size()));
}

absl::StatusOr<int64_t> RowsOf(const NetworkDescription& network, PointId point, size_t inputs, size_t outputs) {
  if (absl::Status status = CheckPoint(network, point); !status.ok()) return status;
  const int64_t rows = static_cast<int64_t>(inputs) / network.input.elements;
  if (rows < 1 || rows * network.input.elements != static_cast<int64_t>(inputs) ||
      rows * network.output.elements != static_cast<int64_t>(outputs)) {
    return absl::InvalidArgumentError(absl::StrCat("input of ", inputs, " and output of ", outputs,
                                                   " values are no rows of ", network.input.elements, " and ",
                                                   network.output.elements));
  }
  return rows;
}

}  // namespace anybit::model
