#include "model/kernels/cpu/testing/modelled_bfloat16.h"

#include "model/kernels/cpu/instruction_set.h"

namespace anybit::model {

std::vector<const KernelTable*> ModelledBfloat16Tables() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  if (KernelsByName("avx512").ok()) {
    static const KernelTable kTable = [] {
      KernelTable table = ModelledAvx512Kernels({.vector_popcount = false, .bfloat16 = true});
      table.name = "avx512_bfloat16_model";
      return table;
    }();
    tables.push_back(&kTable);
  }
#endif
  return tables;
}

}  // namespace anybit::model
