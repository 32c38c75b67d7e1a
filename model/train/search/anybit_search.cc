// anybit-search: finds mixed-precision operating points of an artifact and appends them to it, without training.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "model/data/open_examples.h"
#include "model/format/artifact.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/program.h"
#include "model/train/search/hessian_traces.h"
#include "model/train/search/layer_latency.h"
#include "model/train/search/search_run.h"
#include "model/train/task.h"
#include "model/train/trainer/input_shape.h"

using anybit::model::train::SearchRequest;

ABSL_FLAG(std::string, artifact, "model/default/fashion.safetensors", "network to search");
ABSL_FLAG(std::string, method, "measured",
          "measured (the loss of each layer alone, then the exact optimum), gmpq (likewise by class activation maps, "
          "without labels), hawq (likewise by traces of the Hessian), greedy, random, or exhaustive (all of at most "
          "20,000 routes)");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(std::vector<std::string>, rungs, {},
          "operating points that a layer may have, dearest first; empty: all but full precision");
ABSL_FLAG(std::string, cost, "latency", "what a budget limits: latency, bytes (of weights) or bit_products");
ABSL_FLAG(std::string, latency, "", "JSON file of anybit-layer-latency, for budgets of latency");
ABSL_FLAG(std::string, traces, "", "JSON file of anybit-curvature, for --method=hawq");
ABSL_FLAG(int, rows, SearchRequest{}.rows, "batch size whose latency counts");
ABSL_FLAG(std::vector<std::string>, budgets, (std::vector<std::string>{"25%", "50%", "75%"}),
          "one new point for each: microseconds, bytes or bit products, or a share of the way from the cheapest route "
          "to the dearest");
ABSL_FLAG(std::string, name, SearchRequest{}.name, "new points are named NAME1, NAME2, ...");
ABSL_FLAG(int64_t, calibration, SearchRequest{}.calibration, "training images, without labels, for scales");
ABSL_FLAG(int64_t, held_out, SearchRequest{}.held_out,
          "training images for all choices; as many as training held out are the same ones");
ABSL_FLAG(int, recheck, SearchRequest{}.recheck, "routes of the solver that are scored before one is chosen");
ABSL_FLAG(int, random_routes, SearchRequest{}.random_routes, "routes that --method=random scores for each budget");
ABSL_FLAG(uint64_t, seed, SearchRequest{}.seed, "seed of random routes");
ABSL_FLAG(int, threads, SearchRequest{}.threads, "threads that estimate and score");
ABSL_FLAG(std::string, isa, "auto", "instruction set of the kernels: auto, amx, avx512, avx_vnni, avx2 or portable");
ABSL_FLAG(bool, test, true,
          "measure the test images once, at the end; false: accuracies are those of the held-out images");
ABSL_FLAG(std::string, out, "", "artifact to write, with the new points; empty: none");
ABSL_FLAG(std::string, report, "", "JSON file to write; empty: none");
ABSL_FLAG(std::string, svg, "", "figure to write, accuracy against cost; empty: none");
ABSL_FLAG(std::string, journal, "",
          "file to which each score is appended; empty: *.journal beside --report or --out, or none without these");
ABSL_FLAG(bool, resume, false, "take the scores that the journal holds");

namespace anybit::model::train {
namespace {

std::string JournalPath() {
  if (std::string path = absl::GetFlag(FLAGS_journal); !path.empty()) return path;
  const std::string report = absl::GetFlag(FLAGS_report), out = absl::GetFlag(FLAGS_out);
  if (!report.empty()) return absl::StrCat(absl::StripSuffix(report, ".json"), ".journal");
  return out.empty() ? "" : absl::StrCat(absl::StripSuffix(out, ".safetensors"), ".journal");
}

absl::StatusOr<SearchRequest> RequestFromFlags() {
  const absl::StatusOr<SearchMethod> method = SearchMethodByName(absl::GetFlag(FLAGS_method));
  if (!method.ok()) return method.status();
  const absl::StatusOr<CostKind> cost = CostKindByName(absl::GetFlag(FLAGS_cost));
  if (!cost.ok()) return cost.status();
  if (*cost == CostKind::kLatency && absl::GetFlag(FLAGS_latency).empty()) {
    return absl::InvalidArgumentError("--latency must name a file of anybit-layer-latency, for --cost=latency");
  }
  if (*method == SearchMethod::kCurvature && absl::GetFlag(FLAGS_traces).empty()) {
    return absl::InvalidArgumentError("--traces must name a file of anybit-curvature, for --method=hawq");
  }
  if (const int threads = absl::GetFlag(FLAGS_threads); threads < 1 || threads > 64) {
    return absl::InvalidArgumentError(absl::StrCat("--threads: ", threads, " is outside 1..64"));
  }
  return SearchRequest{.method = *method,
                       .cost = *cost,
                       .rungs = absl::GetFlag(FLAGS_rungs),
                       .budgets = absl::GetFlag(FLAGS_budgets),
                       .name = absl::GetFlag(FLAGS_name),
                       .rows = absl::GetFlag(FLAGS_rows),
                       .calibration = absl::GetFlag(FLAGS_calibration),
                       .held_out = absl::GetFlag(FLAGS_held_out),
                       .recheck = absl::GetFlag(FLAGS_recheck),
                       .random_routes = absl::GetFlag(FLAGS_random_routes),
                       .seed = absl::GetFlag(FLAGS_seed),
                       .threads = absl::GetFlag(FLAGS_threads),
                       .journal = JournalPath(),
                       .resume = absl::GetFlag(FLAGS_resume)};
}

// The command that finds the same points again, with the names of files, not their paths.
std::string Command() {
  std::string command = absl::StrCat(
      "anybit-search --method=", absl::GetFlag(FLAGS_method), " --data=", NameOfData(absl::GetFlag(FLAGS_data)),
      " --rungs=", absl::StrJoin(absl::GetFlag(FLAGS_rungs), ","), " --cost=", absl::GetFlag(FLAGS_cost),
      " --budgets=", absl::StrJoin(absl::GetFlag(FLAGS_budgets), ","), " --rows=", absl::GetFlag(FLAGS_rows),
      " --calibration=", absl::GetFlag(FLAGS_calibration), " --held_out=", absl::GetFlag(FLAGS_held_out),
      " --recheck=", absl::GetFlag(FLAGS_recheck), " --name=", absl::GetFlag(FLAGS_name));
  if (absl::GetFlag(FLAGS_method) == "random") {
    absl::StrAppend(&command, " --random_routes=", absl::GetFlag(FLAGS_random_routes),
                    " --seed=", absl::GetFlag(FLAGS_seed));
  }
  return command;
}

struct Examples {
  std::unique_ptr<ExampleSet> training, test;
};

absl::StatusOr<Examples> OpenData(const Artifact& artifact) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(artifact.spec);
  if (!plan.ok()) return plan.status();
  const std::string data = absl::GetFlag(FLAGS_data);
  absl::StatusOr<std::unique_ptr<ExampleSet>> training = OpenExamples(data, Split::kTrain, InputShape(*plan));
  if (!training.ok()) return training.status();
  Examples examples{.training = *std::move(training), .test = nullptr};
  if (!absl::GetFlag(FLAGS_test)) return examples;
  absl::StatusOr<std::unique_ptr<ExampleSet>> test = OpenExamples(data, Split::kTest, InputShape(*plan));
  if (!test.ok()) return test.status();
  examples.test = *std::move(test);
  return examples;
}

// What `parse` makes of the file; nothing where `path` is empty.
template <class Measurement>
absl::StatusOr<std::optional<Measurement>> ReadMeasurement(
    const std::string& path, absl::StatusOr<Measurement> (*parse)(absl::string_view text)) {
  if (path.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Measurement> measurement = parse(*text);
  if (!measurement.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", measurement.status().message()));
  }
  return *std::move(measurement);
}

absl::Status Write(SearchResult& result) {
  if (const std::string path = absl::GetFlag(FLAGS_report); !path.empty()) {
    if (absl::Status status = ReplaceFile(path, ReportJson(result.report)); !status.ok()) return status;
  }
  if (const std::string path = absl::GetFlag(FLAGS_svg); !path.empty()) {
    if (absl::Status status = ReplaceFile(path, ReportFigure(result.report)); !status.ok()) return status;
  }
  const std::string out = absl::GetFlag(FLAGS_out);
  if (out.empty()) return absl::OkStatus();
  absl::StrAppend(&result.artifact.trained_with, "; ", Command());
  if (absl::Status status = WriteArtifact(result.artifact, out); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  return absl::OkStatus();
}

absl::Status Search(const SearchRequest& request) {
  for (const std::string& path : {absl::GetFlag(FLAGS_out), absl::GetFlag(FLAGS_report), absl::GetFlag(FLAGS_svg)}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckReplaceable(path); !status.ok()) return status;
  }
  const absl::StatusOr<Artifact> artifact = ReadArtifact(absl::GetFlag(FLAGS_artifact));
  if (!artifact.ok()) return artifact.status();
  const auto latency = ReadMeasurement(absl::GetFlag(FLAGS_latency), ParseLayerLatency);
  if (!latency.ok()) return latency.status();
  const auto traces = ReadMeasurement(absl::GetFlag(FLAGS_traces), ParseHessianTraces);
  if (!traces.ok()) return traces.status();
  const absl::StatusOr<const KernelTable*> kernels = KernelsByName(absl::GetFlag(FLAGS_isa));
  if (!kernels.ok()) return kernels.status();
  const absl::StatusOr<Examples> examples = OpenData(*artifact);
  if (!examples.ok()) return examples.status();
  absl::StatusOr<SearchResult> result = RunSearch(
      *artifact, request, {.training = *examples->training, .test = examples->test.get()},
      {.latency = latency->has_value() ? &**latency : nullptr, .traces = traces->has_value() ? &**traces : nullptr},
      **kernels, std::cout, isatty(STDOUT_FILENO) == 1);
  if (!result.ok()) return result.status();
  std::cout << "\n" << ReportTable(result->report);
  std::cout << absl::StreamFormat("\n%d routes in %.1f s, %.1f s of processors; %d known before\n",
                                  result->report.routes, result->report.seconds, result->report.processor_seconds,
                                  result->report.resumed);
  return Write(*result);
}

int Main(int argc, char** argv) {
  const Program program = {
      .name = "anybit-search",
      .usage =
          "anybit-search --latency=FILE [--FLAG=VALUE...]: finds mixed-precision operating points of an artifact and "
          "appends them to it, without training",
      .flags_file = "/anybit_search.cc",
      .word = ""};
  (void)ParseFlags(argc, argv, program);
  const absl::StatusOr<SearchRequest> request = RequestFromFlags();
  if (!request.ok()) EndForUsage(program, request.status());
  return ExitStatus(program, Search(*request));
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
