// The inner loops of the engine, as a table of functions for one instruction set.
//
// The table is chosen once, by whoever builds the network, and passed down; there is no dispatch per call. A kernel
// allocates nothing and returns nothing; all of them give the exact sums that reference.h defines. A "patch" is the window
// of one output pixel, laid out in the order of the weights: kernel row, kernel column, channel.
#ifndef ANYBIT_MODEL_KERNELS_KERNEL_TABLE_H_
#define ANYBIT_MODEL_KERNELS_KERNEL_TABLE_H_

#include <cstdint>

namespace anybit {

// Patches are handed over in groups of up to this many.
inline constexpr int kPatchGroup = 8;

// Outputs per group of float weights; panels are padded with zeros to whole groups.
inline constexpr int kFloatGroup = 8;

struct KernelTable {
  const char* name;

  // sums[p][o] = sum over d of patches[p][d] * weights[o][d]; codes -128..255, sums fit 32 bits.
  // patches: [count][depth], weights: [outputs][depth], sums: [count][outputs]; count <= kPatchGroup.
  void (*multiply_codes)(const int16_t* patches, int count, const int16_t* weights, int64_t outputs, int64_t depth,
                         int32_t* sums);

  // The same for weights of -1 and +1 and activations of `planes` bits (1 or 2).
  // patches: [count][planes][words], bit d of plane i being bit i of the activation; weights: [outputs][words], bit set
  // for +1; bits past the depth are 0 in both.
  void (*multiply_signs)(const uint64_t* patches, int count, int planes, const uint64_t* weights, int64_t outputs,
                         int64_t words, int32_t* sums);

  // The same in float, each sum in ascending order of d.
  // patches: [count][depth], weights: [groups][depth][kFloatGroup], sums: [count][groups * kFloatGroup].
  void (*multiply_floats)(const float* patches, int count, const float* weights, int64_t groups, int64_t depth, float* sums);
};

// Plain C++ for any machine.
const KernelTable& PortableKernels();

}  // namespace anybit

#endif  // ANYBIT_MODEL_KERNELS_KERNEL_TABLE_H_
