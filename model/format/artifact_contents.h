// The contents of an artifact in memory: one adaptive-bit-width network, its store and its operating points.
//
// artifact.h has the file that holds them.
#ifndef ANYBIT_MODEL_FORMAT_ARTIFACT_CONTENTS_H_
#define ANYBIT_MODEL_FORMAT_ARTIFACT_CONTENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/format/bfloat16.h"
#include "model/format/code_range.h"
#include "model/format/network_description.h"
#include "model/format/network_spec.h"
#include "model/format/operating_point.h"

namespace anybit::model {

// The weights of one layer, [out][depth] in the order of PlannedNode.
struct LayerStore {
  std::vector<int8_t> q8;
  std::vector<float> scale;  // [out], > 0
  std::vector<float> full;   // like q8, or empty
};

inline constexpr int kTableCodes = 256;

// One layer at one operating point.
struct LayerEpilogue {
  CodeRange weights;         // ignored at full precision
  int highest_code = 0;      // 1..255; 0 for the last layer and at full precision
  std::vector<float> scale;  // [out]; of quantized conv layers: ExactScale
  std::vector<float> bias;   // [out]
  float residual_scale = 0;  // where the node adds
  // Of a convolution whose activation has a table, at a quantized point; its scale and bias then give codes 0..255.
  std::vector<uint8_t> table;  // [256], of codes 0..highest_code
  int zero_code = 0;           // the output's code for 0

  // The highest code that scale and bias give, which the table, if there is one, reads.
  int highest_of_sums() const { return table.empty() ? highest_code : kTableCodes - 1; }
};

// One gate at a quantized point.
struct GateEpilogue {
  float scale = 0;
  int highest_code = 0;  // 1..255
  int zero_code = 0;
};

struct ArtifactPoint {
  OperatingPoint info;
  bool full_precision = false;  // of floats, or with 16 bits of bfloat16 numbers (bfloat16.h)
  int64_t accuracy_images = 0;
  std::vector<LayerEpilogue> layers;  // by layer index of the plan
  std::vector<GateEpilogue> gates;    // by gate index of the plan; empty at full precision

  bool is_bfloat16() const { return full_precision && info.weight_bits == kBfloat16Bits; }
};

struct Artifact {
  NetworkSpec spec;
  int64_t version = 1;
  std::string trained_with;           // the command line that made it
  std::string checksum;               // of the file that it was read from; empty where there is none
  std::vector<LayerStore> store;      // by layer index of the plan
  std::vector<ArtifactPoint> points;  // 1..64
};

// InvalidArgument, naming the offending value, unless `artifact` is complete and every engine can run it.
absl::Status ValidateArtifact(const Artifact& artifact);

// The network as clients and the server see it. `artifact` must be valid.
NetworkDescription Describe(const Artifact& artifact);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_FORMAT_ARTIFACT_CONTENTS_H_
