// anybit-import: makes an adaptive-bit-width network of a float network that was trained elsewhere, without training.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "model/data/damaged_rows.h"
#include "model/data/example_set.h"
#include "model/data/read_rows.h"
#include "model/engine/evaluate.h"
#include "model/engine/packed_network.h"
#include "model/format/artifact.h"
#include "model/format/network_spec.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/convert/float_export.h"
#include "model/train/convert/logit_quality.h"
#include "model/train/convert/norm_estimator.h"
#include "model/train/convert/post_training.h"
#include "model/train/import_sheet.h"
#include "model/train/import_source.h"
#include "model/train/program.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/run_file.h"
#include "model/train/task.h"

ABSL_FLAG(std::string, model, "", "ONNX file of the float network, see docs/import.md");
ABSL_FLAG(std::string, output, "", "the output of --model that is served, where it has several");
ABSL_FLAG(std::string, weights, "",
          "instead of --model: safetensors file of a float ResNet, with the names of torchvision or timm");
ABSL_FLAG(std::string, arch, "fashion",
          "architecture of --weights: a ResNet of model/arch/registry.h, or that of an exported artifact");
ABSL_FLAG(std::string, data, "",
          "labelled examples, see model/data/open_examples.h: for the accuracies, and to estimate ranges without "
          "--calibration; empty: Fashion-MNIST for --weights, none for --model");
ABSL_FLAG(std::string, calibration, "",
          "folder of images, at any depth and without labels, to estimate ranges; without --data the accuracies are "
          "agreement with the float network on them");
ABSL_FLAG(std::string, points, "fp32,w8a8,w6a6,w4a4", "operating points, see model/train/recipe/point_recipe.h");
ABSL_FLAG(std::vector<std::string>, mean, {},
          "mean by which the float network's input, pixels 0..1, was normalised: one number, or one per channel; "
          "empty: 0");
ABSL_FLAG(std::vector<std::string>, std, {}, "standard deviation of that normalisation; empty: 1");
ABSL_FLAG(std::string, float_input, "auto",
          "how clients may send floats that are normalised by --mean and --std, besides pixels: nchw, nhwc, none, or "
          "auto for what the float network reads");
ABSL_FLAG(std::string, border, "mean",
          "what stands around an image: mean, with which the float network pads, or black");
ABSL_FLAG(int64_t, images, 256, "images for the estimation of ranges and batch norm, without their labels");
ABSL_FLAG(int64_t, test_images, 0, "images for the accuracies; 0: all");
ABSL_FLAG(int64_t, max_damaged, 0, "damaged images that are listed and left out; with more the program fails");
ABSL_FLAG(std::string, rounding, "joint",
          "rounding of weights: joint (each code minimises the error of all points) or nearest");
ABSL_FLAG(std::string, out, "network.safetensors", "artifact to write");
ABSL_FLAG(std::string, report, "", "JSON file to write for anybit-train-report; empty: none");
ABSL_FLAG(std::string, sheet, "",
          "Markdown file to write: each point beside the float network, and each layer, worst first; empty: none");
ABSL_FLAG(std::string, label, "",
          "name of the network in reports, which average those of one name; empty: \"converted, joint rounding\"");
ABSL_FLAG(std::string, model_name, "", "name of the model in the protocol; empty: that of the file or architecture");
ABSL_FLAG(int64_t, model_version, 1, "version of the model in the protocol");
ABSL_FLAG(std::string, labels, "", "text file with the name of each class on a line; empty: those of --data");
ABSL_FLAG(std::string, export_float, "",
          "only writes the fp32 point of this artifact to --out as a float network, with the names of torchvision, "
          "for inputs 0..1");

namespace anybit::model::train {
namespace {

absl::Status ExportFloat(const std::string& artifact_path, const std::string& out) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(artifact_path);
  if (!artifact.ok()) return artifact.status();
  absl::StatusOr<std::string> text = ExportFloatNetwork(*artifact);
  if (!text.ok()) return text.status();
  if (absl::Status status = ReplaceFile(out, *text); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  return absl::OkStatus();
}

// The share of `rows` whose first class is their label.
double AccuracyOf(std::span<const float> logits, const ExampleSet& rows) {
  const size_t classes = logits.size() / static_cast<size_t>(rows.count());
  int64_t right = 0;
  for (int64_t i = 0; i < rows.count(); ++i) {
    right += Top1(logits.subspan(static_cast<size_t>(i) * classes, classes)) == rows.label(i) ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(rows.count());
}

absl::StatusOr<std::vector<float>> ReadNumbers(const char* flag, const std::vector<std::string>& texts) {
  std::vector<float> numbers;
  for (const std::string& text : texts) {
    float number = 0;
    if (!absl::SimpleAtof(text, &number)) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, ": '", text, "' is not a number"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

// `count` rows drawn evenly from `whole`; 0: all of them.
std::unique_ptr<ExampleSet> SomeOf(const ExampleSet& whole, int64_t count) {
  return std::make_unique<Subset>(HoldOut(whole, count <= 0 ? whole.count() : std::min(count, whole.count())).held_out);
}

// The rows for accuracies. Without labels these are the ones that the estimation does not use, if there are others.
std::unique_ptr<ExampleSet> TestRows(const ImportSource& source, int64_t estimation, int64_t count) {
  if (source.labelled || source.test->count() <= estimation) return SomeOf(*source.test, count);
  auto others = std::make_unique<Subset>(HoldOut(*source.test, estimation).training);
  const int64_t drawn = count <= 0 ? others->count() : std::min(count, others->count());
  std::vector<int64_t> indices = HoldOut(*others, drawn).held_out.indices();
  return std::make_unique<Subset>(std::move(others), std::move(indices));
}

// The rows for estimation and test, without damaged ones, which are found before the work begins.
struct Sample {
  std::unique_ptr<ExampleSet> estimation, test;
};

absl::StatusOr<Sample> TakeSample(const ImportSource& source) {
  std::cout << "rows for ranges: " << source.estimation->origin() << "\nrows for accuracies: " << source.test->origin()
            << "\n";
  const int64_t images = absl::GetFlag(FLAGS_images);
  Sample sample{.estimation = SomeOf(*source.estimation, images)};
  sample.test = TestRows(source, images, absl::GetFlag(FLAGS_test_images));
  int64_t dropped = 0;
  for (std::unique_ptr<ExampleSet>* rows : {&sample.estimation, &sample.test}) {
    const std::vector<DamagedRow> damaged = FindDamaged(**rows);
    absl::Status status = DropDamaged(damaged, absl::GetFlag(FLAGS_max_damaged), dropped, *rows, std::cout);
    if (!status.ok()) return status;
  }
  return sample;
}

// Shows the difference between the fp32 point, which pads an image with black, and the float network, which pads it
// with its mean.
absl::Status ReportBorder(const Artifact& full, std::span<const uint8_t> images, const std::vector<float>& border) {
  absl::StatusOr<std::unique_ptr<NormEstimator>> exact = NormEstimator::Create(full, images, border);
  if (!exact.ok()) return exact.status();
  absl::StatusOr<std::unique_ptr<NormEstimator>> black = NormEstimator::Create(full, images);
  if (!black.ok()) return black.status();
  const std::span<const float> a = (*exact)->float_logits(), b = (*black)->float_logits();
  double squares = 0, differences = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    squares += static_cast<double>(a[i]) * a[i];
    differences += static_cast<double>(a[i] - b[i]) * (a[i] - b[i]);
  }
  std::cout << absl::StreamFormat(
      "border: the float network pads with its mean, this one with black; its fp32 logits differ by %.1f%% (rms)\n",
      100 * std::sqrt(differences / std::max(squares, 1e-30)));
  return absl::OkStatus();
}

std::string Command() {
  const bool onnx = !absl::GetFlag(FLAGS_model).empty();
  const std::filesystem::path file(onnx ? absl::GetFlag(FLAGS_model) : absl::GetFlag(FLAGS_weights));
  std::string command = absl::StrCat("anybit-import --", onnx ? "model=" : "weights=", file.filename().string());
  if (!onnx) absl::StrAppend(&command, " --arch=", absl::GetFlag(FLAGS_arch));
  absl::StrAppend(&command, " --points=", absl::GetFlag(FLAGS_points));
  for (const auto& [flag, value] :
       {std::pair("data", absl::GetFlag(FLAGS_data)), std::pair("calibration", absl::GetFlag(FLAGS_calibration))}) {
    if (!value.empty()) absl::StrAppend(&command, " --", flag, "=", NameOfData(value));
  }
  absl::StrAppend(&command, " --mean=", absl::StrJoin(absl::GetFlag(FLAGS_mean), ","),
                  " --std=", absl::StrJoin(absl::GetFlag(FLAGS_std), ","), " --images=", absl::GetFlag(FLAGS_images),
                  " --test_images=", absl::GetFlag(FLAGS_test_images), " --rounding=", absl::GetFlag(FLAGS_rounding));
  return command;
}

// Whether the artifact pads an image otherwise than the float network.
bool PadsOtherwise(const ImportSource& source) {
  return source.full.spec.padding_code().empty() &&
         std::any_of(source.border.begin(), source.border.end(), [](float b) { return b != 0; });
}

// The logits of the float network itself. The engine's fp32 point is not it where it pads otherwise.
absl::StatusOr<std::vector<float>> FloatLogits(const ImportSource& source, const ExampleSet& rows) {
  if (!PadsOtherwise(source)) {
    absl::StatusOr<std::unique_ptr<PackedNetwork>> engine =
        PackedNetwork::Create(source.full, *SupportedKernels().front());
    if (!engine.ok()) return engine.status();
    return LogitsOf(**engine, ToPointId(0), rows);
  }
  constexpr int64_t kBatch = 64;
  std::vector<float> logits;
  for (int64_t first = 0; first < rows.count(); first += kBatch) {
    const int64_t count = std::min(kBatch, rows.count() - first);
    std::vector<uint8_t> pixels(static_cast<size_t>(count * rows.shape().elements()));
    if (absl::Status status = ReadRows(rows, first, count, pixels); !status.ok()) return status;
    const absl::StatusOr<std::unique_ptr<NormEstimator>> batch =
        NormEstimator::Create(source.full, pixels, source.border);
    if (!batch.ok()) return batch.status();
    logits.insert(logits.end(), (*batch)->float_logits().begin(), (*batch)->float_logits().end());
  }
  return logits;
}

// Measures every point on `test` and shows it beside the float network: the share of equal first classes, and the ratio
// of the logits to their error. Without labels that share becomes the accuracy.
absl::StatusOr<ImportSheet> Measure(const ImportSource& source, const ExampleSet& test, const LayerSqnr& layers,
                                    Artifact& artifact) {
  const NetworkPlan plan = *PlanNetwork(artifact.spec);
  ImportSheet sheet{
      .network = artifact.spec.name(), .command = Command(), .rows = test.count(), .labelled = source.labelled};
  const bool labelled = source.labelled;
  absl::StatusOr<std::unique_ptr<PackedNetwork>> engine = PackedNetwork::Create(artifact, *SupportedKernels().front());
  if (!engine.ok()) return engine.status();
  const absl::StatusOr<std::vector<float>> wanted = FloatLogits(source, test);
  if (!wanted.ok()) return wanted.status();
  std::cout << absl::StreamFormat("%-12s %10s %10s %9s   %s\n", "point", labelled ? "test" : "", "agreement", "SQNR",
                                  "worst layers");
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    ArtifactPoint& point = artifact.points[p];
    const PointId id = ToPointId(static_cast<int>(p));
    const absl::StatusOr<std::vector<float>> logits = LogitsOf(**engine, id, test);
    if (!logits.ok()) return logits.status();
    const LogitQuality quality =
        CompareLogits(*wanted, *logits, static_cast<int>((*engine)->description().output.elements));
    point.info.accuracy = labelled ? AccuracyOf(*logits, test) : quality.agreement;
    point.accuracy_images = test.count();
    const std::string accuracy = labelled ? absl::StrFormat("%.2f%%", 100 * point.info.accuracy) : "";
    sheet.points.push_back({.name = point.info.name,
                            .accuracy = point.info.accuracy,
                            .agreement = quality.agreement,
                            .sqnr = quality.sqnr,
                            .layers = layers[p]});
    std::cout << absl::StreamFormat("%-12s %10s %9.2f%% %6.1f dB   %s\n", point.info.name, accuracy,
                                    100 * quality.agreement, quality.sqnr, WorstLayers(sheet.points.back(), plan))
              << std::flush;
  }
  return sheet;
}

absl::Status WriteReport(const Artifact& artifact, const std::vector<PointRecipe>& points,
                         const std::string& architecture, double seconds, const std::string& path) {
  TrainingRun run;
  const std::string label = absl::GetFlag(FLAGS_label);
  run.set_recipe(label.empty() ? absl::StrCat("converted, ", absl::GetFlag(FLAGS_rounding), " rounding") : label);
  run.set_network(architecture);
  const std::string data = absl::GetFlag(FLAGS_data);
  run.set_images(data.empty() ? "fashion-mnist" : NameOfData(data));
  run.set_processor_seconds(seconds);
  run.set_command(artifact.trained_with);
  for (const ArtifactPoint& point : artifact.points) {
    for (const PointRecipe& recipe : points) {
      if (recipe.name != point.info.name) continue;
      PointResult& result = *run.add_points() = ResultOf(recipe);
      result.set_test_accuracy(point.info.accuracy);
      result.set_test_images(point.accuracy_images);
    }
  }
  return ReplaceFile(path, SerializeRun(run));
}

// The conversion's arguments, from flags.
struct Request {
  std::vector<PointRecipe> points;
  Rounding rounding = Rounding::kJoint;
  ImportPlaces places;
};

absl::StatusOr<Request> RequestFromFlags() {
  if (absl::GetFlag(FLAGS_model).empty() == absl::GetFlag(FLAGS_weights).empty()) {
    return absl::InvalidArgumentError("one of --model and --weights must name a file");
  }
  absl::StatusOr<std::vector<PointRecipe>> points = ParsePoints(absl::GetFlag(FLAGS_points));
  if (!points.ok()) return points.status();
  const std::string rounding = absl::GetFlag(FLAGS_rounding);
  if (rounding != "joint" && rounding != "nearest") {
    return absl::InvalidArgumentError(absl::StrCat("--rounding: '", rounding, "' is neither joint nor nearest"));
  }
  if (absl::GetFlag(FLAGS_images) < 1) {
    return absl::InvalidArgumentError(absl::StrCat("--images: ", absl::GetFlag(FLAGS_images), " is below 1"));
  }
  absl::StatusOr<std::vector<float>> mean = ReadNumbers("mean", absl::GetFlag(FLAGS_mean));
  if (!mean.ok()) return mean.status();
  absl::StatusOr<std::vector<float>> deviation = ReadNumbers("std", absl::GetFlag(FLAGS_std));
  if (!deviation.ok()) return deviation.status();
  return Request{.points = *std::move(points),
                 .rounding = rounding == "joint" ? Rounding::kJoint : Rounding::kNearest,
                 .places = {.onnx = absl::GetFlag(FLAGS_model),
                            .weights = absl::GetFlag(FLAGS_weights),
                            .arch = absl::GetFlag(FLAGS_arch),
                            .data = absl::GetFlag(FLAGS_data),
                            .calibration = absl::GetFlag(FLAGS_calibration),
                            .labels = absl::GetFlag(FLAGS_labels),
                            .name = absl::GetFlag(FLAGS_model_name),
                            .output = absl::GetFlag(FLAGS_output),
                            .normalisation = {.mean = *std::move(mean), .deviation = *std::move(deviation)},
                            .border = absl::GetFlag(FLAGS_border),
                            .float_input = absl::GetFlag(FLAGS_float_input)}};
}

// Codes of one bit are -1 and 1, so they cannot hold zeros that a layer needs.
absl::Status CheckZeros(const std::vector<PointRecipe>& points, const std::vector<std::string>& sparse) {
  for (const PointRecipe& point : points) {
    if (!point.weights.sign || sparse.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat("--points: '", point.name, "' has weights of one bit, and ",
                                                   sparse[0], " needs weights of 0; accepted: two bits or more"));
  }
  return absl::OkStatus();
}

struct Quantized {
  Artifact artifact;
  LayerSqnr layers;
  double processor_seconds = 0;
};

// Quantizes the network of `source` with the images of `rows`.
absl::StatusOr<Quantized> Quantize(const ImportSource& source, const Request& request, const ExampleSet& rows) {
  std::vector<uint8_t> pixels(static_cast<size_t>(rows.count() * rows.shape().elements()));
  if (absl::Status status = ReadRows(rows, 0, rows.count(), pixels); !status.ok()) return status;
  const Artifact& full = source.full;
  const std::vector<float>& border = source.border;
  if (PadsOtherwise(source)) {
    if (absl::Status status = ReportBorder(full, pixels, border); !status.ok()) return status;
  }
  const std::clock_t begin = std::clock();
  LayerSqnr layers;
  absl::StatusOr<Artifact> artifact =
      QuantizeAfterTraining(full, request.points, pixels, border, request.rounding, {}, &layers);
  if (!artifact.ok()) return artifact.status();
  return Quantized{*std::move(artifact), std::move(layers), static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC};
}

absl::Status Convert(const Request& request) {
  const std::string out = absl::GetFlag(FLAGS_out), report = absl::GetFlag(FLAGS_report);
  const std::string page = absl::GetFlag(FLAGS_sheet);
  for (const std::string& path : {out, report, page}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckReplaceable(path); !status.ok()) return status;
  }
  const absl::StatusOr<ImportSource> source = OpenImportSource(request.places, std::cout);
  if (!source.ok()) return source.status();
  if (absl::Status status = CheckZeros(request.points, source->sparse); !status.ok()) return status;
  const absl::StatusOr<Sample> sample = TakeSample(*source);
  if (!sample.ok()) return sample.status();
  absl::StatusOr<Quantized> quantized = Quantize(*source, request, *sample->estimation);
  if (!quantized.ok()) return quantized.status();
  Artifact& artifact = quantized->artifact;
  const absl::StatusOr<ImportSheet> sheet = Measure(*source, *sample->test, quantized->layers, artifact);
  if (!sheet.ok()) return sheet.status();
  artifact.version = absl::GetFlag(FLAGS_model_version);
  artifact.trained_with = Command();
  if (absl::Status status = WriteArtifact(artifact, out); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  if (!page.empty()) {
    const std::string text = SheetPage(*sheet, *PlanNetwork(artifact.spec));
    if (absl::Status status = ReplaceFile(page, text); !status.ok()) return status;
  }
  if (report.empty()) return absl::OkStatus();
  return WriteReport(artifact, request.points, source->architecture, quantized->processor_seconds, report);
}

int Main(int argc, char** argv) {
  const Program program = {
      .name = "anybit-import",
      .usage =
          "anybit-import --model=FILE.onnx --calibration=FOLDER [--FLAG=VALUE...]: makes an adaptive-bit-width network "
          "of a float one",
      .flags_file = "/anybit_import.cc"};
  (void)ParseFlags(argc, argv, program);
  if (const std::string source = absl::GetFlag(FLAGS_export_float); !source.empty()) {
    return ExitStatus(program, ExportFloat(source, absl::GetFlag(FLAGS_out)));
  }
  const absl::StatusOr<Request> request = RequestFromFlags();
  if (!request.ok()) EndForUsage(program, request.status());
  return ExitStatus(program, Convert(*request));
}

}  // namespace
}  // namespace anybit::model::train

int main(int argc, char** argv) { return anybit::model::train::Main(argc, argv); }
