// Writes the nodes of a NetworkSpec one after the other.
#ifndef ANYBIT_MODEL_ARCH_SPEC_WRITER_H_
#define ANYBIT_MODEL_ARCH_SPEC_WRITER_H_

#include <map>
#include <string>

#include "model/format/network_spec.h"

namespace anybit::model {

// The input and classes of a network, and its width.
struct ImageTask {
  int side = 32;     // height and width of the input
  int channels = 3;  // of the input
  int classes = 10;
  double width = 1;  // times the channels of every layer
};

// `channels` times `width`, rounded, at least 1.
int ScaledChannels(int channels, double width);

struct ConvOptions {
  int channels = 0;  // of the output
  int kernel = 3;    // padding is half of it
  int stride = 1;
  bool depthwise = false;
  bool relu = true;
  std::string residual = {};  // the node that is added; empty: none
};

class SpecWriter {
 public:
  // A network of that name with input "image" and output "logits".
  SpecWriter(const std::string& name, const ImageTask& task);

  // Each appends one node that reads `input`, or by default the last node's output, and returns its name.
  std::string Conv(const std::string& name, const ConvOptions& options) { return Conv(name, last_, options); }
  std::string Conv(const std::string& name, const std::string& input, const ConvOptions& options);
  std::string MaxPool(const std::string& name, int size, int stride, int padding);

  // A 2x2 pool without overlap; it ignores an odd last row and column.
  std::string HalvingPool(const std::string& name);

  const std::string& last() const { return last_; }

  // Of the last node's output, or of the input.
  int side() const { return sizes_.at(last_).side; }
  int channels() const { return sizes_.at(last_).channels; }

  // The mean over the image, "pool", and a linear layer, "head".
  NetworkSpec FinishWithHead();

 private:
  struct Size {
    int side, channels;
  };

  proto::Node& Add(const std::string& name, const std::string& input, Size size);

  NetworkSpec spec_;
  std::string last_ = "input";
  std::map<std::string, Size> sizes_;  // by node
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ARCH_SPEC_WRITER_H_
