// Where every activation of a network lies in the device memory of one slot.
//
// Maps have no borders, and their padded channels are written by whoever writes them: so any map may take the memory of
// one that no later node reads.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_MAP_LAYOUT_H_
#define ANYBIT_MODEL_ENGINE_CUDA_MAP_LAYOUT_H_

#include <cstdint>
#include <vector>

#include "model/format/artifact_contents.h"
#include "model/format/network_spec.h"

namespace anybit::model::cuda {

struct MapLayout {
  int input_stored = 0;           // stored channels of the network's input
  std::vector<int> stored;        // by node; 0 where nothing is stored
  std::vector<int> buffers;       // by node, -1 where nothing is stored
  std::vector<int64_t> elements;  // by buffer, of one image
  int64_t padded_elements = 0;    // of the largest map that has a border at some point, of one image

  int StoredOf(int node) const { return node == kNetworkInput ? input_stored : stored[node]; }
};

// Whether `node` is a convolution that pads with other values than zeros at this point: what it reads then gets a
// border first.
bool PadsWithValues(const NetworkPlan& plan, const ArtifactPoint& point, const PlannedNode& node);

// Stored channels: a multiple of 16, so that codes fill chunks; of an image with few channels 4, a word of codes.
MapLayout LayOutMaps(const NetworkPlan& plan);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_MAP_LAYOUT_H_
