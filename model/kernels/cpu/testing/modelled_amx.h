// The table of AMX on the tile model (tile_model.h), for processors without tiles: the same kernels, compiled with
// other operations.
#ifndef ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_AMX_H_
#define ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_AMX_H_

#include <vector>

#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// "amx_model": with AVX-512's epilogue and GFNI, where this processor has both. "amx_model_portable": with plain C++ in
// their place, over the portable table.
std::vector<const KernelTable*> ModelledAmxTables();

// What those two are made of; use ModelledAmxTables.
KernelTable ModelledAmxKernels(const KernelTable& vectors);
KernelTable ModelledPortableAmxKernels(const KernelTable& vectors);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_TESTING_MODELLED_AMX_H_
