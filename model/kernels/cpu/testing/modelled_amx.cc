#include "model/kernels/cpu/testing/modelled_amx.h"

#include "absl/status/statusor.h"
#include "model/kernels/cpu/instruction_set.h"

namespace anybit::model {

std::vector<const KernelTable*> ModelledAmxTables() {
  static const KernelTable kPortable = ModelledPortableAmxKernels(*SupportedKernels().back());
  std::vector<const KernelTable*> tables = {&kPortable};
#if defined(__x86_64__)
  const absl::StatusOr<const KernelTable*> avx512 = KernelsByName("avx512");
  if (avx512.ok() && __builtin_cpu_supports("gfni")) {
    static const KernelTable kVectors = ModelledAmxKernels(**avx512);
    tables.push_back(&kVectors);
  }
#endif
  return tables;
}

}  // namespace anybit::model
