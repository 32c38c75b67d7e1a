// The table of AVX-512 with BF16 for processors that have AVX-512 without it: the same kernels, compiled with other
// instructions of the same effect in place of VDPBF16PS.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_BFLOAT16_H_
#define ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_BFLOAT16_H_

#include <vector>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// "avx512_bfloat16_model", where this processor has AVX-512.
std::vector<const KernelTable*> ModelledBfloat16Tables();

// What it is made of; use ModelledBfloat16Tables.
const KernelTable& ModelledAvx512Kernels(const Avx512Extensions& extensions);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_BFLOAT16_H_
