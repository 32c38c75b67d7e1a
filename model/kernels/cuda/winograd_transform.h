// Winograd's F(2, 3) and F(4, 3) on integers: the transforms and where they keep everything within bytes.
//
// The numbers are those of model/kernels/cpu/winograd.h: rows of G for F(2): {2,0,0} {1,1,1} {1,-1,1} {0,0,2}, result
// times 2; for F(4): {6,0,0} {-2,-2,-2} {-2,2,-2} {1,2,4} {1,-2,4} {0,0,6}, result times 24. All arithmetic may wrap
// modulo 2^32. So a word of four codes is transformed like one number: once an offset has made each byte of the result
// 0..255, the word holds exactly these bytes, whatever carries there were in between.
//
// Panel: [output / 32][step of 32 channels][position][output / 8 % 4][lane][2 words], the fragments of mma.m16n8k32.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_TRANSFORM_H_
#define ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_TRANSFORM_H_

#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

// Row `position` of G times the three weights of a row of the kernel.
ANYBIT_KERNEL int TransformedWeight(int outputs, int position, int w0, int w1, int w2) {
  if (outputs == 2) {
    switch (position) {
      case 0: return 2 * w0;
      case 1: return w0 + w1 + w2;
      case 2: return w0 - w1 + w2;
      default: return 2 * w2;
    }
  }
  switch (position) {
    case 0: return 6 * w0;
    case 1: return -2 * (w0 + w1 + w2);
    case 2: return -2 * (w0 - w1 + w2);
    case 3: return w0 + 2 * w1 + 4 * w2;
    case 4: return w0 - 2 * w1 + 4 * w2;
    default: return 6 * w2;
  }
}

// B^T times one column of inputs; wraps.
template <int kOutputs>
ANYBIT_KERNEL void TransformInput(const uint32_t* d, int stride, uint32_t* v) {
  const uint32_t d0 = d[0], d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride];
  if constexpr (kOutputs == 2) {
    v[0] = d0 - d2;
    v[stride] = d1 + d2;
    v[2 * stride] = d2 - d1;
    v[3 * stride] = d1 - d3;
  } else {
    const uint32_t d4 = d[4 * stride], d5 = d[5 * stride];
    v[0] = 4 * d0 - 5 * d2 + d4;
    v[stride] = d4 + d3 - 4 * d2 - 4 * d1;
    v[2 * stride] = d4 - d3 - 4 * d2 + 4 * d1;
    v[3 * stride] = d4 + 2 * d3 - d2 - 2 * d1;
    v[4 * stride] = d4 - 2 * d3 - d2 + 2 * d1;
    v[5 * stride] = d5 - 5 * d3 + 4 * d1;
  }
}

// A^T times one column of products; wraps.
template <int kOutputs>
ANYBIT_KERNEL void TransformOutput(const uint32_t* m, int stride, uint32_t* y, int y_stride) {
  const uint32_t m0 = m[0], m1 = m[stride], m2 = m[2 * stride], m3 = m[3 * stride];
  if constexpr (kOutputs == 2) {
    y[0] = m0 + m1 + m2;
    y[y_stride] = m1 - m2 - m3;
  } else {
    const uint32_t m4 = m[4 * stride], m5 = m[5 * stride];
    y[0] = m0 + 2 * (m1 + m2) + m3 + m4;
    y[y_stride] = 2 * (m1 - m2) + 2 * (m3 - m4);
    y[2 * y_stride] = 2 * (m1 + m2) + 4 * (m3 + m4);
    y[3 * y_stride] = 2 * (m1 - m2) + 8 * (m3 - m4) + 4 * m5;
  }
}

// The sums of the positive and of the negative entries of row `position` of B^T.
ANYBIT_KERNEL int PositiveInputs(int outputs, int position) {
  if (outputs == 2) return position == 1 ? 2 : 1;
  return position == 1 ? 2 : position == 3 || position == 4 ? 3 : 5;
}
ANYBIT_KERNEL int NegativeInputs(int outputs, int position) {
  if (outputs == 2) return position == 1 ? 0 : 1;
  return position == 1 ? 8 : position == 3 || position == 4 ? 3 : 5;
}

// The smallest offset that makes a transformed input at (row, col) non-negative, and the largest value then, for codes
// 0..highest.
ANYBIT_KERNEL int OffsetAt(int rows, int cols, int row, int col, int highest) {
  return highest * (PositiveInputs(rows, row) * NegativeInputs(cols, col) +
                    NegativeInputs(rows, row) * PositiveInputs(cols, col));
}
ANYBIT_KERNEL int HighestAt(int rows, int cols, int row, int col, int highest) {
  return OffsetAt(rows, cols, row, col, highest) + highest * (PositiveInputs(rows, row) * PositiveInputs(cols, col) +
                                                              NegativeInputs(rows, row) * NegativeInputs(cols, col));
}

// The results are 2 or 24 times the sums in each direction. Their product's power of two is FactorShift; the odd part,
// 1, 3 or 9, is divided by multiplying with its inverse modulo 2^32.
ANYBIT_KERNEL int FactorShift(int rows, int cols) { return (rows == 2 ? 1 : 3) + (cols == 2 ? 1 : 3); }
ANYBIT_KERNEL uint32_t InverseOfOddFactor(int rows, int cols) {
  const int threes = (rows == 4) + (cols == 4);
  return threes == 0 ? 1u : threes == 1 ? 0xAAAAAAABu : 0x38E38E39u;
}

// Whole sums from results; exact where 2^FactorShift times the sum fits 32 bits.
ANYBIT_KERNEL int32_t WithoutFactor(uint32_t result, int rows, int cols) {
  return static_cast<int32_t>(result * InverseOfOddFactor(rows, cols)) >> FactorShift(rows, cols);
}

// The transformed weight at (row, col) of one output and channel; code(tap) is the weight of a tap.
template <class Code>
ANYBIT_KERNEL int TransformedWeightAt(int rows, int cols, int row, int col, const Code& code) {
  int of_row[3];
  for (int x = 0; x < 3; ++x) of_row[x] = TransformedWeight(rows, row, code(x), code(3 + x), code(6 + x));
  return TransformedWeight(cols, col, of_row[0], of_row[1], of_row[2]);
}

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_WINOGRAD_TRANSFORM_H_
