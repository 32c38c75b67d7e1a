#include "model/kernels/cpu/instruction_set.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace anybit::model {
namespace {

#if defined(__x86_64__)
// AVX-VNNI is CPUID leaf 7, subleaf 1, EAX bit 4: GCC 12's __builtin_cpu_supports does not know it.
bool HasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}

// Whether the operating system saves the tiles: bits 17 and 18 of XCR0, which CPUID leaf 1, ECX bit 27 lets us read.
bool SavesTiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx >> 27 & 1) == 0) return false;
  asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax >> 17 & 3) == 3;
}

// AMX-BF16, AMX-TILE and AMX-INT8 (CPUID leaf 7, EDX bits 22, 24 and 25), with tiles of the size that the kernels use:
// palette 1 in leaf 29 has eight of 16 rows of 64 bytes.
bool HasAmx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx >> 22 & 13) != 13 || !SavesTiles()) return false;
  if (__get_cpuid_count(29, 1, &eax, &ebx, &ecx, &edx) == 0) return false;
  const unsigned row_bytes = ebx & 0xffff, tiles = ebx >> 16, rows = ecx & 0xffff;
  return row_bytes == 64 && tiles >= 8 && rows == 16;
}

// Linux gives a process the tiles only on request: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA). Threads that
// start later inherit the permission.
bool RequestTiles() {
#if defined(__linux__)
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}
#endif

Processor ThisProcessor() {
  Processor processor;
#if defined(__x86_64__)
  // These answers include the operating system's: whether it saves the registers.
  __builtin_cpu_init();
  processor.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  processor.avx_vnni = HasAvxVnni();
  processor.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512vnni");
  processor.vector_popcount = __builtin_cpu_supports("avx512vpopcntdq");
  processor.avx512_bfloat16 = __builtin_cpu_supports("avx512bf16");
  processor.amx = HasAmx() && __builtin_cpu_supports("gfni");
  processor.request_tiles = RequestTiles;
#endif
  return processor;
}

#if defined(__x86_64__)
// Made once: tables are known by their address.
const KernelTable& AmxTable(const Avx512Extensions& e) {
  static const KernelTable kTables[] = {
      AmxKernels(Avx512Kernels({.vector_popcount = false, .bfloat16 = false})),
      AmxKernels(Avx512Kernels({.vector_popcount = true, .bfloat16 = false})),
      AmxKernels(Avx512Kernels({.vector_popcount = false, .bfloat16 = true})),
      AmxKernels(Avx512Kernels({.vector_popcount = true, .bfloat16 = true})),
  };
  return kTables[(e.vector_popcount ? 1 : 0) + (e.bfloat16 ? 2 : 0)];
}
#endif

}  // namespace

std::vector<const KernelTable*> KernelsFor(const Processor& processor) {
  std::vector<const KernelTable*> tables;
#if defined(__x86_64__)
  if (processor.avx2 && processor.avx512) {
    const Avx512Extensions extensions{.vector_popcount = processor.vector_popcount,
                                      .bfloat16 = processor.avx512_bfloat16};
    if (processor.amx && processor.request_tiles()) tables.push_back(&AmxTable(extensions));
    tables.push_back(&Avx512Kernels(extensions));
  }
  if (processor.avx2 && processor.avx_vnni) tables.push_back(&AvxVnniKernels());
  if (processor.avx2) tables.push_back(&Avx2Kernels());
#endif
  tables.push_back(&PortableKernels());
  return tables;
}

std::vector<const KernelTable*> SupportedKernels() {
  static const std::vector<const KernelTable*>* const kTables =
      new std::vector<const KernelTable*>(KernelsFor(ThisProcessor()));
  return *kTables;
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
  for (const char* built : {"amx", "avx512", "avx_vnni", "avx2"}) {
    if (name == built) {
      return absl::FailedPreconditionError(absl::StrCat("no instruction set '", name, "' here; ", known));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown instruction set '", name, "'; ", known));
}

}  // namespace anybit::model
