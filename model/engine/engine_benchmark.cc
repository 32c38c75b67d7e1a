// Times whole networks on request, line by line on standard input: a driver (tests/speed) can alternate between this
// engine and the processes of other runtimes.
//
// A request is one line, an answer one line of JSON; a failed request gets {"error": "..."}.
//   describe                  the network (a proto::NetworkSpec), its multiplications a row, its operating points
//   run POINT BATCH MILLIS    runs batches of BATCH rows at the point named POINT, for MILLIS ms but at least one:
//                             {"runs": number, "median_us": of a run, "min_us": of a run}. The point's first batch of
//                             that size has one more run, which is not timed.
//   layers POINT BATCH MILLIS as run, of one thread, and for each node {"node", "shape", "algorithm", "median_us",
//                             "min_us", "macs"} in "layers". An input's copy counts with the first node, a global pool
//                             with the linear node.
//   peak                      the highest speed of this core with the instruction set's products: {"gmacs": of codes,
//                             "float_gmacs", "bfloat_gmacs"}
//   state                     {"tile_gmacs": that of tiles just now, or null where there are none}: a tile unit may be
//                             short of power
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/statistics.h"
#include "model/arch/registry.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/kernels/cpu/kernel_table.h"
#include "model/kernels/cpu/peak.h"
#include "model/testing/random_artifact.h"

ABSL_FLAG(std::string, artifact, "", "network to time; or else:");
ABSL_FLAG(std::string, arch, "fashion", "architecture (model/arch) to time with random weights");
ABSL_FLAG(std::vector<std::string>, points, {}, "operating points to keep; default: all; of --arch, the ladder");
ABSL_FLAG(std::string, isa, "auto", "instruction set of the kernels: auto, amx, avx512, avx_vnni, avx2 or portable");
ABSL_FLAG(int, threads, 1, "threads that a run uses");
ABSL_FLAG(absl::Duration, choose, absl::Seconds(40), "at most how long to measure which kernels are fastest; 0: guess");

namespace anybit::model {
namespace {

constexpr int kMaxBatch = 1024;
constexpr uint64_t kSeed = 1;

class Stopwatch {
 public:
  double Microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Such a point takes what a full-precision point has. Its accuracy is not known.
void AddMissingBfloat16(Artifact& artifact) {
  const auto is = [](bool bfloat16) {
    return [=](const ArtifactPoint& p) { return p.full_precision && (p.info.weight_bits == 16) == bfloat16; };
  };
  if (std::any_of(artifact.points.begin(), artifact.points.end(), is(true))) return;
  if (std::none_of(artifact.points.begin(), artifact.points.end(), is(false))) return;
  AddBfloat16Point(artifact);
  std::find_if(artifact.points.begin(), artifact.points.end(), is(true))->accuracy_images = 0;
}

absl::StatusOr<Artifact> NetworkToTime() {
  std::vector<std::string> names = absl::GetFlag(FLAGS_points);
  absl::StatusOr<Artifact> artifact;
  if (const std::string path = absl::GetFlag(FLAGS_artifact); !path.empty()) {
    artifact = ReadArtifact(path);
  } else {
    const absl::StatusOr<NetworkSpec> spec = ArchitectureByName(absl::GetFlag(FLAGS_arch));
    if (!spec.ok()) return spec.status();
    artifact = RandomArtifact(*spec, kSeed);
    for (ArtifactPoint& point : artifact->points) point.accuracy_images = 0;  // not measured
    if (names.empty()) names = {"fp32", "bf16", "w8a8", "w4a4f", "w3a2f", "w1a1"};
  }
  if (!artifact.ok()) return artifact;
  AddMissingBfloat16(*artifact);
  if (names.empty()) return artifact;
  std::vector<ArtifactPoint> kept;
  for (const std::string& name : names) {
    const auto point = std::find_if(artifact->points.begin(), artifact->points.end(),
                                    [&](const ArtifactPoint& p) { return p.info.name == name; });
    if (point == artifact->points.end()) return absl::NotFoundError(absl::StrCat("no operating point '", name, "'"));
    kept.push_back(*point);
  }
  artifact->points = std::move(kept);
  return artifact;
}

std::string Description(const Artifact& artifact) {
  std::string network;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(artifact.spec, &network, options).ok()) network = "null";
  const auto point = [](std::string* out, const ArtifactPoint& p) {
    absl::StrAppend(out, "{\"name\": \"", p.info.name, "\", \"weight_bits\": ", p.info.weight_bits,
                    ", \"activation_bits\": ", p.info.activation_bits,
                    ", \"accuracy\": ", p.accuracy_images > 0 ? absl::StrCat(p.info.accuracy) : "null", "}");
  };
  return absl::StrCat("{\"macs\": ", PlanNetwork(artifact.spec)->macs, ", \"points\": [",
                      absl::StrJoin(artifact.points, ", ", point), "], \"network\": ", network, "}");
}

struct LayerTimes {
  PlannedNode node;
  std::vector<double> microseconds;  // of each run
};

// "3x3/2 56x56x64 -> 28x28x128": the kernel and its stride, input and output.
std::string ShapeOf(const PlannedNode& node) {
  const auto extent = [](const FeatureShape& s) { return absl::StrCat(s.height, "x", s.width, "x", s.channels); };
  const int size = node.kind == NodeKind::kMaxPool ? node.pool : node.kernel;
  const std::string window = size == 0 ? "" : absl::StrCat(size, "x", size, "/", node.stride, " ");
  return absl::StrCat(window, extent(node.in), " -> ", extent(node.out), node.depthwise ? " depthwise" : "",
                      node.has_residual ? " + residual" : "");
}

std::string LayerAnswer(LayerTimes& layer, absl::string_view algorithm, int batch) {
  return absl::StrCat(
      "{\"node\": \"", layer.node.name, "\", \"shape\": \"", ShapeOf(layer.node), "\", \"algorithm\": \"", algorithm,
      absl::StrFormat("\", \"median_us\": %.3f, \"min_us\": %.3f, \"macs\": ", Median(layer.microseconds),
                      *std::min_element(layer.microseconds.begin(), layer.microseconds.end())),
      layer.node.macs() * batch, "}");
}

// A network with one scratch per batch size, like a server that never sees another size.
class TimedNetwork {
 public:
  TimedNetwork(const Artifact& artifact, const PackedNetwork& network) : artifact_(artifact), network_(network) {}

  absl::StatusOr<std::string> Run(absl::string_view point_name, int batch, double milliseconds) {
    const absl::StatusOr<PointId> point = PointByName(point_name);
    if (!point.ok()) return point.status();
    if (batch < 1 || batch > kMaxBatch) {
      return absl::InvalidArgumentError(absl::StrCat("batch of ", batch, " is outside 1..", kMaxBatch));
    }
    Batch& rows = RowsOf(batch);
    const auto run = [&] { return network_.Run(*point, rows.images, rows.logits, *rows.scratch); };
    if (rows.warm.insert(*point).second) {
      if (absl::Status status = run(); !status.ok()) return status;
    }
    std::vector<double> times;
    const Stopwatch whole;
    do {
      const Stopwatch one;
      if (absl::Status status = run(); !status.ok()) return status;
      times.push_back(one.Microseconds());
    } while (whole.Microseconds() < 1000 * milliseconds);
    const double median = Median(times), least = *std::min_element(times.begin(), times.end());
    return absl::StrFormat("{\"runs\": %d, \"median_us\": %.3f, \"min_us\": %.3f}", times.size(), median, least);
  }

  absl::StatusOr<std::string> Layers(absl::string_view point_name, int batch, double milliseconds) {
    const absl::StatusOr<PointId> point = PointByName(point_name);
    if (!point.ok()) return point.status();
    if (batch < 1 || batch > kMaxBatch) {
      return absl::InvalidArgumentError(absl::StrCat("batch of ", batch, " is outside 1..", kMaxBatch));
    }
    Batch& rows = RowsOf(batch);
    std::vector<LayerTimes> layers;
    std::vector<double> whole_runs;
    int runs = 0;
    const Stopwatch whole;
    do {
      const Stopwatch at_once;
      if (absl::Status s = network_.Run(*point, rows.images, rows.logits, *rows.scratch); !s.ok()) return s;
      if (runs > 0) whole_runs.push_back(at_once.Microseconds());
      Stopwatch one;
      const auto after_node = [&](const PlannedNode& node, int index) {
        if (static_cast<int>(layers.size()) <= index) layers.push_back({.node = node});
        std::vector<double>& times = layers[index].microseconds;
        // A node may run in several parts.
        if (static_cast<int>(times.size()) <= runs) times.push_back(0);
        times[runs] += one.Microseconds();
        one = Stopwatch();
      };
      absl::Status status = network_.RunNodes(*point, rows.images, rows.logits, *rows.scratch, after_node);
      if (!status.ok()) return status;
    } while (++runs < 2 || whole.Microseconds() < 1000 * milliseconds);
    const std::map<std::string, std::string> algorithms = AlgorithmsOf(point_name, batch);
    std::vector<std::string> parts;
    for (LayerTimes& layer : layers) {
      layer.microseconds.erase(layer.microseconds.begin());  // the first run does not count
      const auto found = algorithms.find(layer.node.name);
      parts.push_back(LayerAnswer(layer, found == algorithms.end() ? "" : found->second, batch));
    }
    const double median = Median(whole_runs), least = *std::min_element(whole_runs.begin(), whole_runs.end());
    return absl::StrCat("{\"runs\": ", runs - 1,
                        absl::StrFormat(", \"median_us\": %.3f, \"min_us\": %.3f", median, least), ", \"layers\": [",
                        absl::StrJoin(parts, ", "), "]}");
  }

 private:
  struct Batch {
    std::unique_ptr<AdaptiveNetwork::Scratch> scratch;
    std::vector<uint8_t> images;
    std::vector<float> logits;
    std::set<PointId> warm;  // points that have run
  };

  Batch& RowsOf(int batch) {
    Batch& rows = batches_[batch];
    if (rows.scratch == nullptr) {
      rows.scratch = network_.MakeScratch(batch);
      rows.images = RandomImages(artifact_, batch, kSeed);
      rows.logits.resize(batch * network_.description().output.elements);
    }
    return rows;
  }

  // The algorithm of each conv node at a point for `batch` rows.
  std::map<std::string, std::string> AlgorithmsOf(absl::string_view point_name, int batch) const {
    std::map<std::string, std::string> algorithms;
    for (const LayerChoice& choice : network_.choices().layers) {
      if (choice.point == point_name) algorithms[choice.node] = choice.algorithms[ChoiceIndex(batch)];
    }
    return algorithms;
  }

  absl::StatusOr<PointId> PointByName(absl::string_view name) const {
    const std::vector<OperatingPoint>& points = network_.description().points;
    for (size_t i = 0; i < points.size(); ++i) {
      if (points[i].name == name) return ToPointId(static_cast<int>(i));
    }
    return absl::NotFoundError(absl::StrCat("no operating point '", name, "'"));
  }

  const Artifact& artifact_;
  const PackedNetwork& network_;
  std::map<int, Batch> batches_;
};

// Tiles get their full rate, if they do, some 100 microseconds after they began: as long as the first run takes.
std::string TileRate(const KernelTable& kernels) {
  if (kernels.tiles == nullptr) return "null";
  constexpr int kRounds = 150;
  SpinRate(kernels.spin, kRounds);
  return absl::StrCat(SpinRate(kernels.spin, kRounds));
}

absl::StatusOr<std::string> Answer(const std::string& line, const Artifact& artifact, const KernelTable& kernels,
                                   TimedNetwork& network) {
  const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  int batch = 0;
  double milliseconds = 0;
  if (line == "describe") return Description(artifact);
  if (line == "peak") {
    return absl::StrCat("{\"gmacs\": ", MeasurePeak(kernels.spin),
                        ", \"float_gmacs\": ", MeasurePeak(kernels.spin_floats),
                        ", \"bfloat_gmacs\": ", MeasurePeak(kernels.spin_bfloats), "}");
  }
  if (line == "state") return absl::StrCat("{\"tile_gmacs\": ", TileRate(kernels), "}");
  if (words.size() == 4 && absl::SimpleAtoi(words[2], &batch) && absl::SimpleAtod(words[3], &milliseconds)) {
    if (words[0] == "run") return network.Run(words[1], batch, milliseconds);
    if (words[0] == "layers") return network.Layers(words[1], batch, milliseconds);
  }
  return absl::InvalidArgumentError(
      "expected: describe | run POINT BATCH MILLIS | layers POINT BATCH MILLIS | peak | state");
}

std::string ErrorAnswer(const absl::Status& status) {
  return absl::StrCat("{\"error\": \"", absl::StrReplaceAll(status.message(), {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"}");
}

absl::Status Main() {
  const absl::StatusOr<const KernelTable*> kernels = KernelsByName(absl::GetFlag(FLAGS_isa));
  if (!kernels.ok()) return kernels.status();
  const absl::StatusOr<Artifact> artifact = NetworkToTime();
  if (!artifact.ok()) return artifact.status();
  const absl::StatusOr<std::unique_ptr<PackedNetwork>> packed =
      PackedNetwork::Create(*artifact, **kernels, {.threads = absl::GetFlag(FLAGS_threads)});
  if (!packed.ok()) return packed.status();
  (*packed)->MeasureChoices(kMaxBatch, absl::ToChronoNanoseconds(absl::GetFlag(FLAGS_choose)),
                            [] { return std::chrono::steady_clock::now().time_since_epoch(); }, {});
  TimedNetwork network(*artifact, **packed);
  for (std::string line; std::getline(std::cin, line);) {
    const absl::StatusOr<std::string> answer = Answer(line, *artifact, **kernels, network);
    std::cout << (answer.ok() ? *answer : ErrorAnswer(answer.status())) << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace anybit::model

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("times a network's operating points, asked on standard input");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = anybit::model::Main();
  if (status.ok()) return 0;
  std::cerr << "engine_benchmark: " << status.message() << "\n";
  return 1;
}
