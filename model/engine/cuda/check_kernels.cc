#include "model/engine/cuda/check_kernels.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/kernels/cuda/testing/conv_case.h"

namespace anybit::model::cuda {
namespace {

constexpr int64_t kGuardBytes = 4096;
constexpr uint8_t kGuard = 0x5A;

// The number of codes that differ from the definition's, bytes written behind the output included.
absl::StatusOr<int64_t> Differences(Device& device, DeviceStream& stream, Algorithm algorithm, const ConvCase& conv) {
  const int architecture = device.facts().architecture;
  const ConvProblem& problem = conv.problem;
  const int64_t out_bytes = static_cast<int64_t>(conv.expected.size());
  std::vector<uint8_t> expected = conv.expected;
  expected.insert(expected.end(), kGuardBytes, kGuard);
  const std::vector<uint8_t> guarded(out_bytes + kGuardBytes, kGuard);
  absl::StatusOr<DeviceMemory> store = Upload(device, stream, conv.store), in = Upload(device, stream, conv.in),
                               residual = Upload(device, stream, conv.residual),
                               scale = Upload(device, stream, conv.scale), bias = Upload(device, stream, conv.bias),
                               both = Upload(device, stream, conv.scale_and_bias),
                               out = Upload(device, stream, guarded);
  for (const auto* memory : {&store, &in, &residual, &scale, &bias, &both, &out}) {
    if (!memory->ok()) return memory->status();
  }
  absl::StatusOr<DeviceMemory> panel =
      DeviceMemory::Allocate(device, std::max<int64_t>(PanelBytes(architecture, algorithm, problem), 1));
  absl::StatusOr<DeviceMemory> workspace = DeviceMemory::Allocate(
      device, std::max<int64_t>(WorkspaceBytes(architecture, algorithm, problem, conv.images), 1));
  absl::StatusOr<DeviceMemory> host =
      DeviceMemory::Allocate(device, out_bytes + kGuardBytes, DeviceMemory::Place::kHost);
  for (const auto* memory : {&panel, &workspace, &host}) {
    if (!memory->ok()) return memory->status();
  }
  const Epilogue epilogue{.scale = reinterpret_cast<const float*>(scale->data()),
                          .bias = reinterpret_cast<const float*>(bias->data()),
                          .scale_and_bias = reinterpret_cast<const float*>(both->data()),
                          .residual = conv.residual.empty() ? nullptr : residual->data(),
                          .residual_stored = problem.residual_stored,
                          .residual_scale = conv.residual_scale,
                          .highest = static_cast<float>(conv.highest)};
  std::vector<KernelCall> calls = PanelCalls(architecture, algorithm, problem,
                                             reinterpret_cast<const int8_t*>(store->data()), nullptr, panel->data());
  for (KernelCall& call : ConvCalls(architecture, algorithm, problem, conv.images,
                                    {.in = in->data(),
                                    .panel = panel->data(),
                                    .epilogue = epilogue,
                                    .workspace = workspace->data(),
                                    .out = out->data()})) {
    calls.push_back(std::move(call));
  }
  for (const KernelCall& call : calls) {
    if (absl::Status status = stream.Run(call); !status.ok()) return status;
  }
  absl::Status status = stream.CopyOut(host->data(), out->data(), out_bytes + kGuardBytes);
  if (status.ok()) status = stream.Await();
  if (!status.ok()) return status;
  int64_t differences = 0;
  for (int64_t i = 0; i < out_bytes + kGuardBytes; ++i) differences += host->data()[i] != expected[i];
  return differences;
}

absl::Status CheckAlgorithm(Device& device, DeviceStream& stream, std::span<const ConvShape> shapes, int every,
                            Algorithm algorithm, KernelVerdict& verdict) {
  std::mt19937_64 random(5);
  int64_t number = 0;
  for (const ConvShape& shape : shapes) {
    for (const ConvRange& range : kConvRanges) {
      const ConvCaseOptions options{.images = 1 + static_cast<int64_t>(random() % 3),
                                    .residual = random() % 2 == 0,
                                    .extreme = random() % 2 == 0,
                                    .fine = random() % 2 == 0};
      if (number++ % every != 0) continue;
      const ConvCase conv = MakeConvCase(shape, range, options, random);
      if (!Offers(device.facts().architecture, algorithm, conv.problem)) continue;
      const absl::StatusOr<int64_t> differences = Differences(device, stream, algorithm, conv);
      if (!differences.ok()) {
        return absl::InternalError(
            absl::StrCat(NameOf(algorithm), ", ", conv.text, ": ", differences.status().message()));
      }
      ++verdict.cases;
      if (*differences == 0) continue;
      if (++verdict.wrong == 1) verdict.first_wrong = absl::StrCat(conv.text, ": ", *differences, " codes");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DeviceMemory> Upload(Device& device, DeviceStream& stream, const void* bytes, int64_t count) {
  absl::StatusOr<DeviceMemory> memory = DeviceMemory::Allocate(device, std::max<int64_t>(count, 1));
  if (!memory.ok() || count == 0) return memory;
  absl::StatusOr<DeviceMemory> host = DeviceMemory::Allocate(device, count, DeviceMemory::Place::kHost);
  if (!host.ok()) return host.status();
  std::memcpy(host->data(), bytes, count);
  absl::Status status = stream.CopyIn(memory->data(), host->data(), count);
  if (status.ok()) status = stream.Await();
  if (!status.ok()) return status;
  return memory;
}

std::vector<ConvShape> ShapesForDevices() {
  std::vector<ConvShape> shapes(std::begin(kConvShapes), std::end(kConvShapes));
  for (const ConvShape& large :
       {ConvShape{56, 56, 64, 64, 3, 1, 1}, ConvShape{28, 28, 128, 128, 3, 1, 1}, ConvShape{28, 28, 128, 128, 3, 2, 1},
        ConvShape{14, 14, 256, 1024, 1, 1, 0}, ConvShape{64, 64, 3, 64, 7, 2, 3}, ConvShape{7, 7, 512, 512, 3, 1, 1}}) {
    shapes.push_back(large);
  }
  return shapes;
}

absl::Status CheckKernels(Device& device, std::span<const ConvShape> shapes, int every,
                          absl::FunctionRef<void(const KernelVerdict&)> tell) {
  absl::StatusOr<std::unique_ptr<DeviceStream>> stream = device.MakeStream();
  if (!stream.ok()) return stream.status();
  for (const Algorithm algorithm : AllAlgorithms()) {
    KernelVerdict verdict{.algorithm = NameOf(algorithm)};
    if (absl::Status status = CheckAlgorithm(device, **stream, shapes, every, algorithm, verdict); !status.ok())
      return status;
    tell(verdict);
  }
  return absl::OkStatus();
}

}  // namespace anybit::model::cuda
