// Passes over values that a layer has just written: activations, gates, and what stands around a map.
//
// They are the same for all instruction sets.
#ifndef ANYBIT_MODEL_KERNELS_CPU_MAP_PASSES_H_
#define ANYBIT_MODEL_KERNELS_CPU_MAP_PASSES_H_

#include <cstdint>
#include <span>

#include "model/format/activation.h"
#include "model/kernels/feature_map.h"

namespace anybit::model {

// Calls `work(values, count)` for runs of values of one image without padded channels and border.
template <class T, class Work>
void EachRun(const FeatureMap& map, T* image, const Work& work) {
  const bool dense = map.stored_channels == map.channels;
  for (int64_t y = 0; y < map.height; ++y) {
    T* row = image + map.at(y, 0);
    if (dense) {
      work(row, map.width * map.channels);
      continue;
    }
    for (int64_t x = 0; x < map.width; ++x) work(row + x * map.stored_channels, map.channels);
  }
}

// Each code becomes its entry of the table's 256.
void LookUpCodes(const FeatureMap& map, const uint8_t* table, uint8_t* image);

// Each value becomes the activation's.
void ActivateFloats(const FeatureMap& map, const Activation& activation, float* image);

// A gate (Gate of proto/artifact.proto): factors[c] = (code of the gate less its zero code) * scale.
struct GateCall {
  FeatureMap in, out;
  std::span<const double> factors;
  int in_zero = 0, out_zero = 0, highest = 0;
};
void GateCodes(const GateCall& call, const uint8_t* in, uint8_t* out);
void GateFloats(const FeatureMap& from, const FeatureMap& to, const float* factors, const float* in, float* out);

// Sets the border of an image to `pixel`, one value per channel.
template <class T>
void FillBorder(const FeatureMap& map, std::span<const T> pixel, T* image) {
  const auto fill = [&](int64_t y, int64_t first, int64_t end) {
    for (int64_t x = first; x < end; ++x) {
      T* to = image + map.at(y, x);
      for (size_t c = 0; c < pixel.size(); ++c) to[c] = pixel[c];
    }
  };
  for (int64_t y = -map.before; y < map.height + map.after; ++y) {
    const bool inside = y >= 0 && y < map.height;
    fill(y, -map.before, inside ? 0 : map.width + map.after);
    if (inside) fill(y, map.width, map.width + map.after);
  }
}

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_MAP_PASSES_H_
