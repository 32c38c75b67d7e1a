#include "model/engine/cuda/check_kernels.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "model/engine/cuda/testing/host_device.h"
#include "model/kernels/testing/conv_cases.h"

namespace anybit::model::cuda {
namespace {

// Few of the cases, since an emulated device is slow.
constexpr int kEvery = 41;

TEST(CheckKernels, FindsNothingWrongOnADeviceThatComputesByDefinition) {
  HostDevice device({.architecture = 80});
  std::set<std::string> checked;
  const absl::Status status = CheckKernels(device, kConvShapes, kEvery, [&](const KernelVerdict& verdict) {
    EXPECT_EQ(verdict.wrong, 0) << verdict.algorithm << ": " << verdict.first_wrong;
    if (verdict.cases > 0) checked.insert(verdict.algorithm);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(checked.contains("bytes_64"));
  EXPECT_TRUE(checked.contains("cutlass_bytes"));
  EXPECT_FALSE(checked.contains("floats"));
  EXPECT_EQ(device.allocated_bytes(), 0);
}

TEST(CheckKernels, TellsWhatIsWrongOfADeviceThatMiscomputes) {
  HostDevice device({.architecture = 80, .miscomputes = true});
  int64_t wrong = 0;
  const absl::Status status = CheckKernels(device, kConvShapes, kEvery, [&](const KernelVerdict& verdict) {
    wrong += verdict.wrong;
    EXPECT_EQ(verdict.first_wrong.empty(), verdict.wrong == 0);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GT(wrong, 0);
}

TEST(CheckKernels, EndsWithTheErrorOfADeviceThatIsLost) {
  HostDevice device({.architecture = 80, .fault_at = 40, .fault = Fault::kLost});
  EXPECT_EQ(CheckKernels(device, kConvShapes, kEvery, [](const KernelVerdict&) {}).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace anybit::model::cuda
