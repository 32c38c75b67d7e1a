// Writes an artifact of random numbers for a small network with the default network's input and output, so that the
// server can be tested before any network was trained, and quickly. With a side and channels: for images of that size;
// with a version: that one, with other numbers. "trivial": a network that computes next to nothing, for what calls cost
// besides.
//
// usage: random_artifact FILE [trivial | SIDE CHANNELS [VERSION]]
#include <iostream>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "model/format/artifact.h"
#include "model/testing/random_artifact.h"
#include "proto/artifact.pb.h"

namespace anybit {
namespace {

proto::NetworkSpec SmallNetwork(int side, int channels, bool is_trivial) {
  proto::NetworkSpec spec;
  spec.set_name("fashion");
  spec.mutable_input()->set_name("image");
  for (const int extent : {side, side, channels}) spec.mutable_input()->add_shape(extent);
  spec.mutable_output()->set_name("logits");
  spec.mutable_output()->add_shape(10);

  proto::Node& conv = *spec.add_nodes();
  conv.set_name("stem");
  conv.add_inputs("input");
  conv.mutable_conv()->set_out_channels(is_trivial ? 1 : 8);
  conv.mutable_conv()->set_kernel(is_trivial ? 1 : 3);
  conv.mutable_conv()->set_stride(is_trivial ? 4 : 2);
  conv.mutable_conv()->set_padding(is_trivial ? 0 : 1);
  proto::Node& pool = *spec.add_nodes();
  pool.set_name("pool");
  pool.add_inputs("stem");
  pool.mutable_max_pool()->set_size(4);
  proto::Node& linear = *spec.add_nodes();
  linear.set_name("head");
  linear.add_inputs("pool");
  linear.mutable_linear()->set_out_features(10);
  return spec;
}

}  // namespace
}  // namespace anybit

int main(int argc, char** argv) {
  int side = 32, channels = 1, version = 1;
  const bool trivial = argc == 3 && absl::string_view(argv[2]) == "trivial";
  const bool sized = argc >= 4 && absl::SimpleAtoi(argv[2], &side) && absl::SimpleAtoi(argv[3], &channels);
  const bool versioned = argc != 5 || absl::SimpleAtoi(argv[4], &version);
  if ((argc != 2 && !sized && !trivial) || argc > 5 || !versioned) {
    std::cerr << "usage: random_artifact FILE [trivial | SIDE CHANNELS [VERSION]]\n";
    return 2;
  }
  anybit::model::Artifact artifact =
      anybit::model::RandomArtifact(anybit::SmallNetwork(side, channels, trivial), version);
  artifact.version = version;
  const absl::Status status = anybit::model::WriteArtifact(artifact, argv[1]);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
