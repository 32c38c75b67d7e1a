// A complete artifact of random numbers for tests, with every kind of code range. Scales spread the codes over their
// ranges.
#ifndef ANYBIT_MODEL_TESTING_RANDOM_ARTIFACT_H_
#define ANYBIT_MODEL_TESTING_RANDOM_ARTIFACT_H_

#include <cstdint>
#include <vector>

#include "model/format/artifact_contents.h"

namespace anybit::model {

// Points fp32, w8a8, w4a4f, w3a2f, w1a1, w1a2, in this order. PlanNetwork must accept `spec`. Accuracies fall from .95
// in steps of .01.
Artifact RandomArtifact(const NetworkSpec& spec, uint64_t seed);

// Adds a point of bfloat16 numbers, "bf16", with the scales and biases of the full-precision point, which `artifact`
// must have, and its accuracy; before the points that are not of full precision.
void AddBfloat16Point(Artifact& artifact);

// Random image codes for `rows` rows of the artifact's input.
std::vector<uint8_t> RandomImages(const Artifact& artifact, int rows, uint64_t seed);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_TESTING_RANDOM_ARTIFACT_H_
