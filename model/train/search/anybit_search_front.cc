// anybit-search-front: compares the searched points of an artifact with the hull of its uniform ones, by measured
// latency and test accuracy.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/data/open_examples.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/program.h"
#include "model/train/search/front.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/search_report.h"
#include "model/train/trainer/input_shape.h"

ABSL_FLAG(std::string, artifact, "", "network with searched points");
ABSL_FLAG(std::string, latency, "", "JSON file of anybit-layer-latency --layers=false, with all points to compare");
ABSL_FLAG(int, rows, 1, "batch size whose latency counts");
ABSL_FLAG(std::vector<std::string>, uniform, (std::vector<std::string>{"w8a8", "w4a4f", "w3a2f", "w1a1"}),
          "points whose hull the others are compared with");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(int, threads, 1, "threads that score");
ABSL_FLAG(std::string, isa, "auto", "instruction set of the kernels: auto, amx, avx512, avx_vnni, avx2 or portable");
ABSL_FLAG(std::string, report, "", "JSON file to write; empty: none");
ABSL_FLAG(std::string, svg, "", "figure to write, accuracy against latency; empty: none");

namespace anybit::model::train {
namespace {

absl::Status Compare() {
  const std::string path = absl::GetFlag(FLAGS_latency);
  const absl::StatusOr<Artifact> artifact = ReadArtifact(absl::GetFlag(FLAGS_artifact));
  if (!artifact.ok()) return artifact.status();
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const absl::StatusOr<LayerLatency> latency = ParseLayerLatency(*text);
  if (!latency.ok()) return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", latency.status().message()));
  const absl::StatusOr<const KernelTable*> kernels = KernelsByName(absl::GetFlag(FLAGS_isa));
  if (!kernels.ok()) return kernels.status();
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact->spec);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<std::unique_ptr<ExampleSet>> test =
      OpenExamples(absl::GetFlag(FLAGS_data), Split::kTest, InputShape(*plan));
  if (!test.ok()) return test.status();
  const absl::StatusOr<SearchReport> report =
      FrontOf(*artifact, *latency, absl::GetFlag(FLAGS_rows), absl::GetFlag(FLAGS_uniform), **test, **kernels,
              std::clamp(absl::GetFlag(FLAGS_threads), 1, 64));
  if (!report.ok()) return report.status();
  std::cout << ReportTable(*report);
  if (const std::string out = absl::GetFlag(FLAGS_report); !out.empty()) {
    if (absl::Status status = ReplaceFile(out, ReportJson(*report)); !status.ok()) return status;
  }
  const std::string svg = absl::GetFlag(FLAGS_svg);
  return svg.empty() ? absl::OkStatus() : ReplaceFile(svg, ReportFigure(*report));
}

int Main(int argc, char** argv) {
  const Program program = {
      .name = "anybit-search-front",
      .usage =
          "anybit-search-front --artifact=FILE --latency=FILE [--FLAG=VALUE...]: compares searched "
          "points with the hull of uniform ones, by measured latency and test accuracy",
      .flags_file = "/anybit_search_front.cc",
      .word = ""};
  (void)ParseFlags(argc, argv, program);
  return ExitStatus(program, Compare());
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
