// Networks for clips: an image network computes each frame by itself, and the mean of the frames' features goes to the
// linear layer. This equals the mean of the frames' logits (segmental consensus: Wang et al., "Temporal Segment
// Networks", 2016).
#ifndef ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_
#define ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_

#include "model/format/network_spec.h"

namespace anybit::model {

// `backbone` for clips of `frames` of its images: input "clip", [frames, height, width, channels]. Its last layer must
// read a global pool.
NetworkSpec ClipNetwork(NetworkSpec backbone, int frames);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_CLIP_NETWORK_H_
