// The kernel tables of this build that this processor can run.
#ifndef ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_
#define ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// What a processor and its operating system offer.
struct Processor {
  bool avx2 = false;  // and FMA
  bool avx_vnni = false;
  bool avx512 = false;  // F, BW, DQ, VL and VNNI
  bool vector_popcount = false;
  bool avx512_bfloat16 = false;  // AVX-512 BF16
  bool amx = false;              // AMX-INT8, AMX-BF16 and GFNI
  // Asks for the permission to use tiles; false where it is refused. Called where the rest is there, once.
  std::function<bool()> request_tiles;
};

// Best first; the last is portable.
std::vector<const KernelTable*> KernelsFor(const Processor& processor);

// The same, of this processor. The first call asks for the permission to use tiles, which threads inherit from the
// one that starts them: call it before other threads start.
std::vector<const KernelTable*> SupportedKernels();

// By name: "amx", "avx512", "avx_vnni", "avx2", "portable", or "auto" for the best. InvalidArgument for an unknown
// name, FailedPrecondition for a table that this processor cannot run; both list the tables that it can.
absl::StatusOr<const KernelTable*> KernelsByName(absl::string_view name);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_
