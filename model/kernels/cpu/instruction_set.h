// The kernel tables of this build that this processor can run.
#ifndef ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_
#define ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/kernels/cpu/kernel_table.h"

namespace anybit::model {

// As processor and operating system report, best first; the last is portable.
std::vector<const KernelTable*> SupportedKernels();

// By name: "avx512", "avx_vnni", "avx2", "portable", or "auto" for the best. InvalidArgument for an unknown name,
// FailedPrecondition for a table that this processor cannot run; both list the tables that it can.
absl::StatusOr<const KernelTable*> KernelsByName(absl::string_view name);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_CPU_INSTRUCTION_SET_H_
