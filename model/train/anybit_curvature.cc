// anybit-curvature: estimates the trace of the loss's Hessian of each layer, for anybit-search --method=hawq.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "model/data/open_examples.h"
#include "model/data/read_rows.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/train/network/hessian_trace.h"
#include "model/train/program.h"
#include "model/train/search/hessian_traces.h"
#include "model/train/trainer/input_shape.h"

ABSL_FLAG(std::string, artifact, "model/default/fashion.safetensors", "network with a full-precision point");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(int64_t, images, 256, "training images, with labels, of the loss");
ABSL_FLAG(int64_t, held_out, 2000, "training images that are left out, as by the training and the search");
ABSL_FLAG(int, samples, 50, "random vectors");
ABSL_FLAG(uint64_t, seed, 1, "seed of the vectors");
ABSL_FLAG(std::string, out, "traces.json", "JSON file to write, for anybit-search --traces");

namespace anybit::model::train {
namespace {

struct Rows {
  std::vector<uint8_t> pixels;
  std::vector<int> labels;
};

absl::StatusOr<Rows> ReadImages(const Artifact& artifact) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<std::unique_ptr<ExampleSet>> training =
      OpenExamples(absl::GetFlag(FLAGS_data), Split::kTrain, InputShape(*plan));
  if (!training.ok()) return training.status();
  const int64_t held_out = absl::GetFlag(FLAGS_held_out), images = absl::GetFlag(FLAGS_images);
  const int64_t count = (*training)->count();
  if (held_out < 0 || images < 1 || held_out > count - images) {
    return absl::InvalidArgumentError(
        absl::StrCat(images, " images and ", held_out, " held-out ones of ", count, " training images"));
  }
  const HeldOutSplit split = HoldOut(**training, held_out);
  const HeldOutSplit used = HoldOut(split.training, images);
  Rows rows{.pixels = std::vector<uint8_t>(images * used.held_out.shape().elements()), .labels = {}};
  if (absl::Status status = ReadRows(used.held_out, 0, images, rows.pixels); !status.ok()) return status;
  for (int64_t row = 0; row < images; ++row) rows.labels.push_back(used.held_out.label(row));
  return rows;
}

absl::Status Estimate() {
  const std::string out = absl::GetFlag(FLAGS_out);
  if (absl::Status status = CheckReplaceable(out); !status.ok()) return status;
  const absl::StatusOr<Artifact> artifact = ReadArtifact(absl::GetFlag(FLAGS_artifact));
  if (!artifact.ok()) return artifact.status();
  const absl::StatusOr<Rows> rows = ReadImages(*artifact);
  if (!rows.ok()) return rows.status();
  HessianTraces traces{.network = artifact->spec.name(),
                       .images = static_cast<int64_t>(rows->labels.size()),
                       .samples = absl::GetFlag(FLAGS_samples),
                       .seed = absl::GetFlag(FLAGS_seed)};
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<LayerTraces> estimated = TracesOf(*artifact, rows->pixels, rows->labels, traces.samples, traces.seed);
  if (!estimated.ok()) return estimated.status();
  traces.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  traces.traces = estimated->mean;
  traces.errors = estimated->error;
  const NetworkPlan plan = *PlanNetwork(artifact->spec);
  for (size_t layer = 0; layer < plan.layers.size(); ++layer) {
    traces.layers.push_back(plan.layer(static_cast<int>(layer)).name);
    std::cout << absl::StreamFormat("%-24s trace %.4g, standard error %.2g\n", traces.layers.back(),
                                    traces.traces[layer], traces.errors[layer]);
  }
  if (absl::Status status = ReplaceFile(out, HessianTracesJson(traces)); !status.ok()) return status;
  std::cout << absl::StreamFormat("\n%.1f s; wrote %s\n", traces.seconds, out);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const Program program = {.name = "anybit-curvature",
                           .usage =
                               "anybit-curvature [--FLAG=VALUE...]: estimates the trace of the loss's Hessian of each "
                               "layer of an artifact, for anybit-search --method=hawq",
                           .flags_file = "/anybit_curvature.cc",
                           .word = ""};
  (void)ParseFlags(argc, argv, program);
  return ExitStatus(program, Estimate());
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
