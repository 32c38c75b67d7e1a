// anybit-layer-latency: measures how long each layer of an artifact takes at each of its operating points.
#include <chrono>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/processor_model.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/program.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/measure_latency.h"

ABSL_FLAG(std::string, artifact, "model/default/fashion.safetensors", "network to measure");
ABSL_FLAG(std::vector<std::string>, rungs, {}, "operating points of the layers, dearest first; empty: all but floats");
ABSL_FLAG(std::vector<std::string>, rows, (std::vector<std::string>{"1", "16"}), "batch sizes to measure");
ABSL_FLAG(std::string, isa, "auto", "instruction set of the kernels: auto, amx, avx512, avx_vnni, avx2 or portable");
ABSL_FLAG(absl::Duration, choose, absl::Seconds(20), "at most how long to measure which kernels are fastest");
ABSL_FLAG(absl::Duration, each, absl::Seconds(10), "how long to measure each batch size");
ABSL_FLAG(bool, layers, true,
          "measure the layers at each pair of rungs; false: only the rungs as whole networks, for anybit-search-front");
ABSL_FLAG(int, check, 50, "random routes whose sums of layers are compared with whole runs");
ABSL_FLAG(uint64_t, seed, 1, "seed of the random routes");
ABSL_FLAG(std::string, out, "latency.json", "JSON file to write, for anybit-search --latency");

namespace anybit::model::train {
namespace {

absl::StatusOr<MeasureLatencyOptions> OptionsFromFlags() {
  MeasureLatencyOptions options{.rows = {},
                                .choose = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_choose)),
                                .each = absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_each)),
                                .check_routes = absl::GetFlag(FLAGS_check),
                                .seed = absl::GetFlag(FLAGS_seed)};
  for (const std::string& text : absl::GetFlag(FLAGS_rows)) {
    if (!absl::SimpleAtoi(text, &options.rows.emplace_back())) {
      return absl::InvalidArgumentError(absl::StrCat("--rows: '", text, "' is not a number"));
    }
  }
  return options;
}

void PrintPoints(const BatchLatency& batch, const LayerLatency& latency) {
  std::cout << absl::StreamFormat("\n%d rows:\n", batch.rows);
  for (size_t i = 0; i < latency.rungs.size(); ++i) {
    std::cout << absl::StreamFormat("  %-24s  %.1f us\n", latency.rungs[i], batch.whole[i].measured_us);
  }
}

void Print(const BatchLatency& batch, const LayerLatency& latency) {
  std::cout << absl::StreamFormat("\n%d rows: %.1f us beyond the layers; of each layer the least and the most:\n",
                                  batch.rows, batch.base_us);
  for (size_t layer = 0; layer < latency.layers.size(); ++layer) {
    std::cout << absl::StreamFormat("  %-24s", latency.layers[layer]);
    for (size_t own = 0; own < latency.rungs.size(); ++own) {
      double least = 0, most = 0;
      for (const double us : batch.layers[layer][own]) {
        if (us > 0 && (least == 0 || us < least)) least = us;
        most = std::max(most, us);
      }
      std::cout << absl::StreamFormat("  %s %.1f-%.1f", latency.rungs[own], least, most);
    }
    std::cout << "\n";
  }
  double worst = 0, total = 0;
  for (const RouteLatency& route : batch.whole) {
    const double error = std::abs(route.predicted_us / route.measured_us - 1);
    worst = std::max(worst, error);
    total += error;
  }
  for (size_t i = 0; i < latency.rungs.size(); ++i) {
    std::cout << absl::StreamFormat("  %-24s  measured %.1f us, predicted %.1f us\n", latency.rungs[i],
                                    batch.whole[i].measured_us, batch.whole[i].predicted_us);
  }
  std::cout << absl::StreamFormat("  sums against %d whole runs: mean error %.1f%%, worst %.1f%%\n", batch.whole.size(),
                                  100 * total / static_cast<double>(batch.whole.size()), 100 * worst);
}

absl::Status Measure(const MeasureLatencyOptions& options) {
  const std::string out = absl::GetFlag(FLAGS_out);
  if (absl::Status status = CheckReplaceable(out); !status.ok()) return status;
  const absl::StatusOr<Artifact> artifact = ReadArtifact(absl::GetFlag(FLAGS_artifact));
  if (!artifact.ok()) return artifact.status();
  const absl::StatusOr<Ladder> ladder = FindRungs(*artifact, absl::GetFlag(FLAGS_rungs));
  if (!ladder.ok()) return ladder.status();
  const absl::StatusOr<const KernelTable*> kernels = KernelsByName(absl::GetFlag(FLAGS_isa));
  if (!kernels.ok()) return kernels.status();
  const bool layers = absl::GetFlag(FLAGS_layers);
  const MonotonicClock now = [] { return std::chrono::steady_clock::now().time_since_epoch(); };
  absl::StatusOr<LayerLatency> latency =
      (layers ? MeasureLayerLatency : MeasurePointLatency)(*artifact, *ladder, **kernels, options, now);
  if (!latency.ok()) return latency.status();
  latency->processor = ProcessorModel();
  std::cout << latency->network << ", " << latency->isa << ", " << latency->processor << ", one thread\n";
  for (const BatchLatency& batch : latency->batches) (layers ? Print : PrintPoints)(batch, *latency);
  if (absl::Status status = ReplaceFile(out, LayerLatencyJson(*latency)); !status.ok()) return status;
  std::cout << "\nwrote " << out << "\n";
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const Program program = {.name = "anybit-layer-latency",
                           .usage =
                               "anybit-layer-latency [--FLAG=VALUE...]: measures how long each layer of an artifact "
                               "takes at each of its operating points",
                           .flags_file = "/anybit_layer_latency.cc",
                           .word = ""};
  (void)ParseFlags(argc, argv, program);
  const absl::StatusOr<MeasureLatencyOptions> options = OptionsFromFlags();
  if (!options.ok()) EndForUsage(program, options.status());
  return ExitStatus(program, Measure(*options));
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
