// The order of a layer's weights in files of PyTorch, and its conversion to and from the artifact's.
#ifndef ANYBIT_MODEL_TRAIN_CONVERT_WEIGHT_ORDER_H_
#define ANYBIT_MODEL_TRAIN_CONVERT_WEIGHT_ORDER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "model/format/network_spec.h"

namespace anybit::model::train {

// A file has convolutions as [out][channel][row][column] and the last layer as [out][channel of the map][row][column].
// The artifact has the channel last.
struct WeightOrder {
  int64_t channels = 0;
  int64_t area = 0;  // rows * columns
};

WeightOrder OrderOf(const PlannedNode& node);

// The shape of the layer's weights in a file.
std::vector<int64_t> FileShape(const PlannedNode& node);

// Transposes [out][rows][columns] to [out][columns][rows].
std::vector<float> Transposed(std::span<const float> values, int64_t rows, int64_t columns);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_CONVERT_WEIGHT_ORDER_H_
