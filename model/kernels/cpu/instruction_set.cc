#include "model/kernels/cpu/instruction_set.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace anybit::model {
namespace {

#if defined(__x86_64__)
// AVX-VNNI is CPUID leaf 7, subleaf 1, EAX bit 4: GCC 12's __builtin_cpu_supports does not know it.
bool HasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}
#endif

}  // namespace

std::vector<const KernelTable*> SupportedKernels() {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  // These answers include the operating system's: whether it saves the registers.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni")) {
    tables.push_back(&Avx512Kernels(__builtin_cpu_supports("avx512vpopcntdq")));
  }
  if (avx2 && HasAvxVnni()) tables.push_back(&AvxVnniKernels());
  if (avx2) tables.push_back(&Avx2Kernels());
#endif
  tables.push_back(&PortableKernels());
  return tables;
}

absl::StatusOr<const KernelTable*> KernelsByName(absl::string_view name) {
  const std::vector<const KernelTable*> tables = SupportedKernels();
  if (name == "auto") return tables.front();
  for (const KernelTable* table : tables) {
    if (name == table->name) return table;
  }
  const std::string known = absl::StrCat("this processor runs auto, ",
                                         absl::StrJoin(tables, ", ", [](std::string* out, const KernelTable* table) {
                                           absl::StrAppend(out, table->name);
                                         }));
  for (const char* built : {"avx512", "avx_vnni", "avx2"}) {
    if (name == built) {
      return absl::FailedPreconditionError(absl::StrCat("no instruction set '", name, "' here; ", known));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown instruction set '", name, "'; ", known));
}

}  // namespace anybit::model
