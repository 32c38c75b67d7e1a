// Networks for clips: a network for images sees each frame by itself, and the frames' features are averaged before the
// linear layer, which averages their logits (the segmental consensus of Wang et al., "Temporal Segment Networks",
// 2016).
#ifndef ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_
#define ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_

#include "model/format/network_spec.h"

namespace anybit {

// `backbone` for clips of `frames` of its images: input "clip", [frames, height, width, channels]. Its last layer must
// read a global pool.
NetworkSpec ClipNetwork(NetworkSpec backbone, int frames);

}  // namespace anybit

#endif  // ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_
