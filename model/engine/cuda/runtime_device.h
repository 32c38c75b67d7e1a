// CUDA's runtime as a Device. It is linked statically and loads the driver when it is first used, so a program that
// has it starts on any machine.
#ifndef ANYBIT_MODEL_ENGINE_CUDA_RUNTIME_DEVICE_H_
#define ANYBIT_MODEL_ENGINE_CUDA_RUNTIME_DEVICE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/cuda/device.h"
#include "model/engine/cuda/find_device.h"

namespace anybit::model::cuda {

// What this machine and this program have.
Machine ProbeMachine();

// `index` as ProbeMachine lists it.
absl::StatusOr<std::unique_ptr<Device>> OpenDevice(int index);

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_ENGINE_CUDA_RUNTIME_DEVICE_H_
