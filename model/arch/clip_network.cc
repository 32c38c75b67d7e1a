#include "model/arch/clip_network.h"

namespace anybit::model {

NetworkSpec ClipNetwork(NetworkSpec backbone, int frames) {
  proto::TensorSpec clip;
  clip.set_name("clip");
  clip.add_shape(frames);
  for (int64_t extent : backbone.input().shape()) clip.add_shape(extent);
  *backbone.mutable_input() = clip;
  return backbone;
}

}  // namespace anybit::model
