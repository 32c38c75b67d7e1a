// Checks and measures the GPU engine on a device: what no test without one can show.
//
// Prints one JSON object a line. scripts/test-gpu runs it and makes the report.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/command_line.h"
#include "base/json_line.h"
#include "base/statistics.h"
#include "model/arch/registry.h"
#include "model/data/open_examples.h"
#include "model/data/read_rows.h"
#include "model/engine/cuda/check_kernels.h"
#include "model/engine/cuda/cuda_network.h"
#include "model/engine/cuda/device_memory.h"
#include "model/engine/cuda/find_device.h"
#include "model/engine/cuda/launch_clock.h"
#include "model/engine/cuda/runtime_device.h"
#include "model/engine/cuda/testing/host_device.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cuda/conv_plan.h"
#include "model/testing/gated_network.h"
#include "model/testing/random_artifact.h"

ABSL_FLAG(std::string, check, "kernels", "kernels, networks, images or speed");
ABSL_FLAG(
    std::string, networks, "",
    "comma-separated architectures for networks and speed; options after ; not :. For networks also gated, which has "
    "what imported networks add");
ABSL_FLAG(std::string, batches, "1,8,32,64", "rows of the batches that speed measures");
ABSL_FLAG(std::string, artifact, "", "file of the network for images and, as one more, for speed");
ABSL_FLAG(std::string, data, "", "folder of images for images, as of anybit-train");
ABSL_FLAG(int32_t, every, 1, "of the kernels' cases every N-th only, as for compute-sanitizer");
ABSL_FLAG(int32_t, device, 0, "the GPU");
ABSL_FLAG(int32_t, emulate, 0,
          "instead of a GPU the host's emulation of one of this architecture, as in 80; very slow");

namespace anybit::model::cuda {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

void Print(const JsonLine& line) { std::cout << line.text() << std::endl; }

std::chrono::nanoseconds Now() { return Clock::now().time_since_epoch(); }

// Splits "a,b" and makes each "name;width=0.5;side=8" a name of the registry.
std::vector<std::string> Networks() {
  std::vector<std::string> names;
  for (absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_networks), ',', absl::SkipEmpty())) {
    std::string name(text);
    if (const size_t at = name.find(';'); at != std::string::npos) name[at] = ':';
    std::replace(name.begin(), name.end(), ';', ',');
    names.push_back(std::move(name));
  }
  return names;
}

Artifact WithBfloat16(const NetworkSpec& spec) {
  Artifact artifact = RandomArtifact(spec, 5);
  AddBfloat16Point(artifact);
  return artifact;
}

absl::Status CheckAllKernels(Device& device, bool& equal) {
  return CheckKernels(device, ShapesForDevices(), absl::GetFlag(FLAGS_every), [&](const KernelVerdict& verdict) {
    equal = equal && verdict.wrong == 0;
    Print(JsonLine()
              .Add("check", "kernel")
              .Add("algorithm", verdict.algorithm)
              .Add("cases", verdict.cases)
              .Add("wrong", verdict.wrong)
              .Add("first_wrong", verdict.first_wrong));
  });
}

// A pair of engines and their scratches.
struct Pair {
  std::unique_ptr<CudaNetwork> gpu;
  std::unique_ptr<PackedNetwork> cpu;
  std::unique_ptr<AdaptiveNetwork::Scratch> gpu_scratch, cpu_scratch;

  static absl::StatusOr<Pair> Create(const Artifact& artifact, Device& device, int max_rows, bool measure) {
    absl::StatusOr<std::unique_ptr<CudaNetwork>> gpu =
        CudaNetwork::Create(artifact, device, {.slots = 1, .max_rows = max_rows});
    if (!gpu.ok()) return gpu.status();
    absl::StatusOr<std::unique_ptr<PackedNetwork>> cpu =
        PackedNetwork::Create(artifact, *SupportedKernels().front(), {.threads = 8});
    if (!cpu.ok()) return cpu.status();
    if (measure) (*gpu)->MeasureChoices(16, std::chrono::seconds(3), Now, {});
    Pair pair{.gpu = *std::move(gpu), .cpu = *std::move(cpu)};
    pair.gpu_scratch = pair.gpu->MakeScratch(max_rows);
    pair.cpu_scratch = pair.cpu->MakeScratch(max_rows);
    return pair;
  }

  // Rows whose logits differ: at a quantized point in any bit, at full precision by more than the order of sums can
  // change them.
  absl::StatusOr<int64_t> WrongRows(PointId point, const ArtifactPoint& of, std::span<const uint8_t> images) {
    const int64_t rows = static_cast<int64_t>(images.size()) / gpu->description().input.elements;
    const int64_t classes = gpu->description().output.elements;
    std::vector<float> got(rows * classes), expected(rows * classes);
    absl::Status status = gpu->Run(point, images, got, *gpu_scratch);
    if (status.ok()) status = cpu->Run(point, images, expected, *cpu_scratch);
    if (!status.ok()) return status;
    float largest = 0;
    for (float logit : expected) largest = std::max(largest, std::abs(logit));
    // A sum that another order rounds to another bfloat16 number moves a logit by some 2^-9 of a value.
    const float part = !of.full_precision ? 0 : of.is_bfloat16() ? 0x1p-6f : 1e-4f;
    const float allowed = part * largest;
    int64_t wrong = 0;
    for (int64_t row = 0; row < rows; ++row) {
      bool row_is_wrong = false;
      for (int64_t i = row * classes; i < (row + 1) * classes; ++i) {
        row_is_wrong = row_is_wrong || !(std::abs(got[i] - expected[i]) <= allowed);
      }
      wrong += row_is_wrong;
    }
    return wrong;
  }
};

absl::Status CheckNetworks(Device& device, bool& equal) {
  constexpr int kMaxRows = 16;
  for (const std::string& name : Networks()) {
    const absl::StatusOr<NetworkSpec> spec = name == "gated" ? GatedNetwork() : ArchitectureByName(name);
    if (!spec.ok()) return spec.status();
    const Artifact artifact = WithBfloat16(*spec);
    for (const bool measured : {false, true}) {
      absl::StatusOr<Pair> pair = Pair::Create(artifact, device, kMaxRows, measured);
      if (!pair.ok()) return pair.status();
      int64_t rows_run = 0, wrong = 0;
      for (int rows : {1, 3, 16}) {
        const std::vector<uint8_t> images = RandomImages(artifact, rows, rows);
        for (int point = 0; point < static_cast<int>(artifact.points.size()); ++point) {
          const absl::StatusOr<int64_t> of_point = pair->WrongRows(ToPointId(point), artifact.points[point], images);
          if (!of_point.ok()) return of_point.status();
          rows_run += rows;
          wrong += *of_point;
        }
      }
      equal = equal && wrong == 0;
      Print(JsonLine()
                .Add("check", "network")
                .Add("network", name)
                .Add("kernels", measured ? "measured" : "guessed")
                .Add("rows", rows_run)
                .Add("wrong", wrong));
    }
  }
  return absl::OkStatus();
}

// A real network on all test images, at every point.
absl::Status CheckImages(Device& device, bool& equal) {
  constexpr int64_t kRows = 64;
  const absl::StatusOr<Artifact> artifact = ReadArtifact(absl::GetFlag(FLAGS_artifact));
  if (!artifact.ok()) return artifact.status();
  const NetworkPlan plan = *PlanNetwork(artifact->spec);
  const absl::StatusOr<std::unique_ptr<ExampleSet>> examples =
      OpenExamples(absl::GetFlag(FLAGS_data), Split::kTest,
                   {.height = plan.input.height, .width = plan.input.width, .channels = plan.input.channels});
  if (!examples.ok()) return examples.status();
  absl::StatusOr<Pair> pair = Pair::Create(*artifact, device, kRows, true);
  if (!pair.ok()) return pair.status();
  std::vector<int64_t> wrong(artifact->points.size(), 0);
  const int64_t size = (*examples)->count();
  for (int64_t first = 0; first < size; first += kRows) {
    const int64_t rows = std::min(kRows, size - first);
    std::vector<uint8_t> images(rows * plan.input_elements());
    if (absl::Status status = ReadRows(**examples, first, rows, images); !status.ok()) return status;
    for (size_t point = 0; point < wrong.size(); ++point) {
      const absl::StatusOr<int64_t> of_batch =
          pair->WrongRows(ToPointId(static_cast<int>(point)), artifact->points[point], images);
      if (!of_batch.ok()) return of_batch.status();
      wrong[point] += *of_batch;
    }
  }
  for (size_t point = 0; point < wrong.size(); ++point) {
    equal = equal && wrong[point] == 0;
    Print(JsonLine()
              .Add("check", "images")
              .Add("point", artifact->points[point].info.name)
              .Add("images", size)
              .Add("wrong", wrong[point]));
  }
  return absl::OkStatus();
}

// The time that `work` takes: the median of runs over a third of a second, after some that do not count.
double MedianSeconds(const std::function<void()>& work) {
  constexpr int kWarmUpRuns = 5, kFewestRuns = 10;
  constexpr std::chrono::milliseconds kTime(330);
  for (int i = 0; i < kWarmUpRuns; ++i) work();
  std::vector<double> seconds;
  const auto start = Clock::now();
  while (Clock::now() - start < kTime || static_cast<int>(seconds.size()) < kFewestRuns) {
    const auto before = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - before).count());
  }
  return Median(seconds);
}

// Operations a second, two for each product, of the fastest byte algorithm on a matrix product of 8192 x 4096 x 4096.
absl::StatusOr<double> ProductRate(Device& device) {
  const bool emulated = absl::GetFlag(FLAGS_emulate) != 0;
  const int height = emulated ? 1 : 64, channels = emulated ? 64 : 4096;
  constexpr int kWidth = 128;
  ConvProblem problem{.geometry = {.in_height = height,
                                   .in_width = kWidth,
                                   .in_channels = channels,
                                   .out_height = height,
                                   .out_width = kWidth,
                                   .outputs = channels,
                                   .out_stored = channels,
                                   .images = 1},
                      .in_stored = channels,
                      .largest_sum = int64_t{127} * 255 * channels};
  absl::StatusOr<std::unique_ptr<DeviceStream>> stream = device.MakeStream();
  if (!stream.ok()) return stream.status();
  const std::vector<float> ones(2 * channels, 1);
  absl::StatusOr<DeviceMemory> scale = Upload(device, **stream, ones);
  absl::StatusOr<DeviceMemory> store = Upload(device, **stream, std::vector<int8_t>(int64_t{channels} * channels, 3));
  absl::StatusOr<DeviceMemory> in =
      Upload(device, **stream, std::vector<uint8_t>(int64_t{height} * kWidth * channels, 7));
  absl::StatusOr<DeviceMemory> out = DeviceMemory::Allocate(device, int64_t{height} * kWidth * channels);
  for (const auto* memory : {&scale, &store, &in, &out}) {
    if (!memory->ok()) return memory->status();
  }
  const auto* scales = reinterpret_cast<const float*>(scale->data());
  double best = 0;
  for (const Algorithm algorithm : {Algorithm::kBytes64, Algorithm::kBytes128, Algorithm::kCutlassBytes}) {
    const int architecture = device.facts().architecture;
    absl::StatusOr<DeviceMemory> panel = DeviceMemory::Allocate(device, PanelBytes(architecture, algorithm, problem));
    if (!panel.ok()) return panel.status();
    absl::Status status;
    for (const KernelCall& call : PanelCalls(architecture, algorithm, problem,
                                             reinterpret_cast<const int8_t*>(store->data()), nullptr, panel->data())) {
      status.Update((*stream)->Run(call));
    }
    const std::vector<KernelCall> calls =
        ConvCalls(architecture, algorithm, problem, 1,
                  {.in = in->data(),
                   .panel = panel->data(),
                   .epilogue = {.scale = scales, .bias = scales, .scale_and_bias = scales, .highest = 255},
                   .out = out->data()});
    const double seconds = MedianSeconds([&] {
      for (const KernelCall& call : calls) status.Update((*stream)->Run(call));
      status.Update((*stream)->Await());
    });
    if (!status.ok()) return status;
    const double rate = 2.0 * height * kWidth * channels * channels / seconds;
    Print(JsonLine().Add("check", "product").Add("algorithm", NameOf(algorithm)).Add("operations_per_second", rate));
    best = std::max(best, rate);
  }
  return best;
}

// Prints the time of batches of `rows` rows at each point, of their launches, and what a change of the point costs.
absl::Status MeasureRows(LaunchClock& device, const std::string& name, const Artifact& artifact, int rows,
                         double product_rate) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  absl::StatusOr<std::unique_ptr<CudaNetwork>> network =
      CudaNetwork::Create(artifact, device, {.slots = 1, .max_rows = rows});
  if (!network.ok()) return network.status();
  (*network)->MeasureChoices(std::min(rows, 16), std::chrono::seconds(3), Now, {});
  const auto scratch = (*network)->MakeScratch(rows);
  const std::vector<uint8_t> images = RandomImages(artifact, rows, 1);
  std::vector<float> logits(rows * plan.classes());
  absl::Status status;
  const auto run = [&](size_t point) {
    status.Update((*network)->Run(ToPointId(static_cast<int>(point)), images, logits, *scratch));
  };
  double all_points = 0;
  for (size_t point = 0; point < artifact.points.size(); ++point) {
    device.TakeSeconds();
    const double seconds = MedianSeconds([&] { run(point); });
    all_points += seconds;
    if (!status.ok()) return status;
    const double operations = 2.0 * static_cast<double>(plan.macs) * rows;
    Print(JsonLine()
              .Add("check", "speed")
              .Add("network", name)
              .Add("point", artifact.points[point].info.name)
              .Add("rows", rows)
              .Add("microseconds", seconds * 1e6)
              .Add("launch_microseconds", Median(device.TakeSeconds()) * 1e6)
              .Add("part_of_product_rate", operations / seconds / product_rate));
  }
  const double in_turn = MedianSeconds([&] {
    for (size_t point = 0; point < artifact.points.size(); ++point) run(point);
  });
  Print(JsonLine()
            .Add("check", "switch")
            .Add("network", name)
            .Add("rows", rows)
            .Add("points_in_turn_microseconds", in_turn * 1e6)
            .Add("each_by_itself_microseconds", all_points * 1e6));
  for (const LayerChoice& choice : (*network)->choices().layers) {
    Print(JsonLine()
              .Add("check", "choice")
              .Add("network", name)
              .Add("rows", rows)
              .Add("point", choice.point)
              .Add("node", choice.node)
              .Add("algorithm", choice.algorithms[ChoiceIndex(rows)]));
  }
  return status;
}

absl::Status MeasureNetwork(LaunchClock& device, const std::string& name, const Artifact& artifact,
                            double product_rate) {
  for (absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_batches), ',')) {
    int rows = 0;
    if (!absl::SimpleAtoi(text, &rows) || rows < 1) {
      return absl::InvalidArgumentError(absl::StrCat("--batches has '", text, "', not a number of rows"));
    }
    if (absl::Status status = MeasureRows(device, name, artifact, rows, product_rate); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status MeasureSpeed(Device& plain) {
  LaunchClock device(plain);
  const absl::StatusOr<double> rate = ProductRate(device);
  if (!rate.ok()) return rate.status();
  if (const std::string path = absl::GetFlag(FLAGS_artifact); !path.empty()) {
    absl::StatusOr<Artifact> artifact = ReadArtifact(path);
    if (!artifact.ok()) return artifact.status();
    if (absl::Status status = MeasureNetwork(device, "default", *artifact, *rate); !status.ok()) return status;
  }
  for (const std::string& name : Networks()) {
    const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(name);
    if (!spec.ok()) return spec.status();
    if (absl::Status status = MeasureNetwork(device, name, WithBfloat16(*spec), *rate); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Device>> OpenDeviceOfFlags() {
  if (const int architecture = absl::GetFlag(FLAGS_emulate); architecture != 0) {
    return std::make_unique<HostDevice>(HostDeviceOptions{.architecture = architecture});
  }
  const int index = absl::GetFlag(FLAGS_device);
  if (absl::Status status = CheckDevice(ProbeMachine(), index); !status.ok()) return status;
  return OpenDevice(index);
}

absl::Status RunCheck(bool& equal) {
  absl::StatusOr<std::unique_ptr<Device>> device = OpenDeviceOfFlags();
  if (!device.ok()) return device.status();
  const DeviceFacts& facts = (*device)->facts();
  Print(JsonLine()
            .Add("check", "device")
            .Add("name", facts.name)
            .Add("architecture", facts.architecture)
            .Add("driver", facts.driver));
  const std::string check = absl::GetFlag(FLAGS_check);
  if (check == "kernels") return CheckAllKernels(**device, equal);
  if (check == "networks") return CheckNetworks(**device, equal);
  if (check == "images") return CheckImages(**device, equal);
  if (check == "speed") return MeasureSpeed(**device);
  return absl::InvalidArgumentError(absl::StrCat("--check is '", check, "', not kernels, networks, images or speed"));
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine({.usage = "gpu_check [--FLAG=VALUE...]: checks and measures the GPU engine on a device",
                        .flags_file = "engine/cuda/gpu_check.cc"},
                       ArgumentsOf(argc, argv));
  if (line.ok() && !line->answer.empty()) {
    std::cout << line->answer << std::flush;
    return 0;
  }
  bool equal = true;
  absl::Status status = line.ok() ? ExpectNoWords(*line) : line.status();
  if (status.ok()) status = RunCheck(equal);
  if (!status.ok()) {
    std::cerr << "gpu_check: " << status.message() << std::endl;
    return absl::IsInvalidArgument(status) ? 2 : 1;
  }
  return equal ? 0 : 1;
}

}  // namespace
}  // namespace anybit::model::cuda

int main(int argc, char** argv) { return anybit::model::cuda::Main(argc, argv); }
