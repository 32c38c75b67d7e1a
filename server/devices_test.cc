#include "server/devices.h"

#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

// A backend on a machine whose GPUs are usable or not.
class FakeBackend : public GpuBackend {
 public:
  explicit FakeBackend(absl::StatusOr<int> first) : first_(std::move(first)) {}
  absl::Status Check(int index) const override {
    return first_.ok() && *first_ == index ? absl::OkStatus() : absl::FailedPreconditionError("no such GPU");
  }
  absl::StatusOr<int> FirstUsable() const override { return first_; }
  std::string Architectures() const override { return "sm_80"; }
  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> Load(model::Artifact, int,
                                                               const GpuNetworkOptions&) override {
    return absl::UnimplementedError("not a real one");
  }

 private:
  const absl::StatusOr<int> first_;
};

TEST(ParseDevice, TakesAutoCpuAndANumberedGpu) {
  EXPECT_EQ(ParseDevice("auto")->kind, DeviceRequest::Kind::kAuto);
  EXPECT_EQ(ParseDevice("cpu")->kind, DeviceRequest::Kind::kCpu);
  EXPECT_EQ(ParseDevice("cuda:3")->kind, DeviceRequest::Kind::kGpu);
  EXPECT_EQ(ParseDevice("cuda:3")->gpu, 3);
  for (const char* text : {"", "cuda", "cuda:", "cuda:-1", "cuda:x", "gpu", "CPU"}) {
    EXPECT_EQ(ParseDevice(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParseDevice("gpu:0").status().message(), "--device is 'gpu:0', expected auto, cpu or cuda:N");
}

TEST(ChooseDevice, AutoTakesTheFirstUsableGpu) {
  const FakeBackend backend(2);
  const auto choice = ChooseDevice({}, &backend);
  EXPECT_EQ(choice->gpu, 2);
  EXPECT_EQ(choice->note, "");
}

TEST(ChooseDevice, AutoWithoutAUsableGpuServesOnTheCpuAndSaysSo) {
  const FakeBackend backend(absl::FailedPreconditionError("no NVIDIA driver"));
  const auto choice = ChooseDevice({}, &backend);
  EXPECT_FALSE(choice->gpu.has_value());
  EXPECT_EQ(choice->note, "no NVIDIA driver; serving on the CPU");
}

TEST(ChooseDevice, AutoInAProgramWithoutABackendHasNothingToSay) {
  EXPECT_FALSE(ChooseDevice({}, nullptr)->gpu.has_value());
  EXPECT_EQ(ChooseDevice({}, nullptr)->note, "");
}

TEST(ChooseDevice, TheCpuIsTakenWhateverThereIs) {
  const FakeBackend backend(0);
  EXPECT_FALSE(ChooseDevice({.kind = DeviceRequest::Kind::kCpu}, &backend)->gpu.has_value());
}

TEST(ChooseDevice, AGpuThatCannotBeUsedIsRefusedInOneLine) {
  const FakeBackend backend(0);
  EXPECT_EQ(ChooseDevice({.kind = DeviceRequest::Kind::kGpu, .gpu = 0}, &backend)->gpu, 0);
  EXPECT_EQ(ChooseDevice({.kind = DeviceRequest::Kind::kGpu, .gpu = 1}, &backend).status().message(),
            "--device=cuda:1: no such GPU");
  EXPECT_EQ(ChooseDevice({.kind = DeviceRequest::Kind::kGpu, .gpu = 0}, nullptr).status().message(),
            "--device=cuda:0: this program has no GPU backend; anybit-server-cuda, built with --config=cuda, has one");
}

}  // namespace
}  // namespace anybit::server
