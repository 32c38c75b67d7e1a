// anybit-convert: makes an adaptive-bit-width network of a float network that was trained elsewhere, without training.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
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
#include "model/format/safetensors.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/train/convert/float_export.h"
#include "model/train/convert/float_import.h"
#include "model/train/convert/norm_estimator.h"
#include "model/train/convert/post_training.h"
#include "model/train/program.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/run_file.h"
#include "model/train/task.h"

using anybit::model::train::kDefaultPoints;

ABSL_FLAG(std::string, weights, "", "safetensors file of the float network, with the names of torchvision or timm");
ABSL_FLAG(std::string, arch, "fashion",
          "architecture of the float network: resnet18, resnet20, resnet20_wide, resnet50, resnet18_imagenet, "
          "resnet50_imagenet, or that of an exported artifact");
ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "examples, see model/data/open_examples.h");
ABSL_FLAG(std::string, points, kDefaultPoints, "operating points, see model/train/recipe/point_recipe.h");
ABSL_FLAG(std::vector<std::string>, mean, {},
          "mean by which the float network's input, pixels 0..1, was normalised: one number, or one per channel; "
          "empty: 0");
ABSL_FLAG(std::vector<std::string>, std, {}, "standard deviation of that normalisation; empty: 1");
ABSL_FLAG(int64_t, images, 256, "training images for the estimation of ranges and batch norm, without their labels");
ABSL_FLAG(int64_t, test_images, 0, "test images for the accuracies; 0: all");
ABSL_FLAG(int64_t, max_damaged, 0, "damaged images that are listed and left out; with more the program fails");
ABSL_FLAG(std::string, rounding, "joint",
          "rounding of weights: joint (each code minimises the error of all points) or nearest");
ABSL_FLAG(std::string, out, "network.safetensors", "artifact to write");
ABSL_FLAG(std::string, report, "", "JSON file to write for anybit-train-report; empty: none");
ABSL_FLAG(std::string, label, "",
          "name of the network in reports, which average those of one name; empty: \"converted, joint rounding\"");
ABSL_FLAG(int64_t, model_version, 1, "version of the model in the protocol");
ABSL_FLAG(std::string, export_float, "",
          "only writes the fp32 point of this artifact to --out as a float network, with the names of torchvision, "
          "for inputs 0..1");

namespace anybit::model::train {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 30;

absl::Status ExportFloat(const std::string& artifact_path, const std::string& out) {
  absl::StatusOr<Artifact> artifact = ReadArtifact(artifact_path);
  if (!artifact.ok()) return artifact.status();
  absl::StatusOr<std::string> text = ExportFloatNetwork(*artifact);
  if (!text.ok()) return text.status();
  if (absl::Status status = ReplaceFile(out, *text); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  return absl::OkStatus();
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

absl::StatusOr<Artifact> ReadFloatNetwork(const std::string& path, const NetworkSpec& spec,
                                          const InputNormalisation& normalisation) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<TensorFile> file = ParseSafetensors(*text);
  if (!file.ok()) return absl::Status(file.status().code(), absl::StrCat("'", path, "': ", file.status().message()));
  absl::StatusOr<FloatNetwork> network = ImportFloatNetwork(*file, spec, normalisation);
  if (!network.ok()) return absl::InvalidArgumentError(absl::StrCat("'", path, "': ", network.status().message()));
  if (!network->unneeded.empty()) std::cout << "unneeded tensors of '" << path << "': " << network->unneeded << "\n";
  return std::move(network->artifact);
}

// `count` rows drawn evenly from `whole`; 0: all of them.
std::unique_ptr<ExampleSet> SomeOf(const ExampleSet& whole, int64_t count) {
  return std::make_unique<Subset>(HoldOut(whole, count <= 0 ? whole.count() : std::min(count, whole.count())).held_out);
}

// The rows for estimation and test, without damaged ones, which are found before the work begins.
struct Sample {
  std::unique_ptr<ExampleSet> training, test;
};

absl::StatusOr<Sample> TakeSample(const Task& task) {
  std::cout << "training rows: " << task.training->origin() << "\ntest rows: " << task.test->origin() << "\n";
  Sample sample{SomeOf(*task.training, absl::GetFlag(FLAGS_images)),
                SomeOf(*task.test, absl::GetFlag(FLAGS_test_images))};
  int64_t dropped = 0;
  for (std::unique_ptr<ExampleSet>* rows : {&sample.training, &sample.test}) {
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
  const std::filesystem::path weights(absl::GetFlag(FLAGS_weights));
  return absl::StrCat("anybit-convert --weights=", weights.filename().string(), " --arch=", absl::GetFlag(FLAGS_arch),
                      " --points=", absl::GetFlag(FLAGS_points), " --data=", NameOfData(absl::GetFlag(FLAGS_data)),
                      " --mean=", absl::StrJoin(absl::GetFlag(FLAGS_mean), ","),
                      " --std=", absl::StrJoin(absl::GetFlag(FLAGS_std), ","),
                      " --images=", absl::GetFlag(FLAGS_images), " --test_images=", absl::GetFlag(FLAGS_test_images),
                      " --rounding=", absl::GetFlag(FLAGS_rounding));
}

absl::Status Measure(Artifact& artifact, const ExampleSet& test) {
  absl::StatusOr<std::unique_ptr<PackedNetwork>> engine = PackedNetwork::Create(artifact, *SupportedKernels().front());
  if (!engine.ok()) return engine.status();
  std::cout << absl::StreamFormat("%-12s %10s\n", "point", "test");
  for (size_t p = 0; p < artifact.points.size(); ++p) {
    ArtifactPoint& point = artifact.points[p];
    absl::StatusOr<double> accuracy = EvaluateTop1(**engine, ToPointId(static_cast<int>(p)), test);
    if (!accuracy.ok()) return accuracy.status();
    std::cout << absl::StreamFormat("%-12s %9.2f%%\n", point.info.name, 100 * *accuracy) << std::flush;
    point.info.accuracy = *accuracy;
    point.accuracy_images = test.count();
  }
  return absl::OkStatus();
}

absl::Status WriteReport(const Artifact& artifact, const std::vector<PointRecipe>& points, const Task& task,
                         double seconds, const std::string& path) {
  TrainingRun run;
  const std::string label = absl::GetFlag(FLAGS_label);
  run.set_recipe(label.empty() ? absl::StrCat("converted, ", absl::GetFlag(FLAGS_rounding), " rounding") : label);
  run.set_network(task.architecture);
  run.set_images(NameOfData(absl::GetFlag(FLAGS_data)));
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
  InputNormalisation normalisation;
};

absl::StatusOr<Request> RequestFromFlags() {
  if (absl::GetFlag(FLAGS_weights).empty()) return absl::InvalidArgumentError("--weights names no file");
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
                 .normalisation = {.mean = *std::move(mean), .deviation = *std::move(deviation)}};
}

// The codes with which the float network padded its input.
std::vector<float> BorderOf(const InputNormalisation& normalisation, int channels) {
  std::vector<float> border;
  for (int c = 0; c < channels; ++c) border.push_back(255 * normalisation.MeanOf(static_cast<size_t>(c)));
  return border;
}

struct Quantized {
  Artifact artifact;
  double processor_seconds = 0;
};

// Quantizes `full` with the images of `training`.
absl::StatusOr<Quantized> Quantize(const Artifact& full, const Request& request, const ExampleSet& training) {
  std::vector<uint8_t> pixels(static_cast<size_t>(training.count() * training.shape().elements()));
  if (absl::Status status = ReadRows(training, 0, training.count(), pixels); !status.ok()) return status;
  const std::vector<float> border = BorderOf(request.normalisation, training.shape().channels);
  if (std::any_of(border.begin(), border.end(), [](float b) { return b != 0; })) {
    if (absl::Status status = ReportBorder(full, pixels, border); !status.ok()) return status;
  }
  const std::clock_t begin = std::clock();
  absl::StatusOr<Artifact> artifact = QuantizeAfterTraining(full, request.points, pixels, border, request.rounding);
  if (!artifact.ok()) return artifact.status();
  return Quantized{*std::move(artifact), static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC};
}

absl::Status Convert(const Request& request) {
  const std::string out = absl::GetFlag(FLAGS_out), report = absl::GetFlag(FLAGS_report);
  for (const std::string& path : {out, report}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckReplaceable(path); !status.ok()) return status;
  }
  const absl::StatusOr<Task> task = OpenTask(absl::GetFlag(FLAGS_arch), absl::GetFlag(FLAGS_data));
  if (!task.ok()) return task.status();
  const absl::StatusOr<Artifact> full =
      ReadFloatNetwork(absl::GetFlag(FLAGS_weights), task->spec, request.normalisation);
  if (!full.ok()) return full.status();
  const absl::StatusOr<Sample> sample = TakeSample(*task);
  if (!sample.ok()) return sample.status();
  absl::StatusOr<Quantized> quantized = Quantize(*full, request, *sample->training);
  if (!quantized.ok()) return quantized.status();
  Artifact& artifact = quantized->artifact;
  if (absl::Status status = Measure(artifact, *sample->test); !status.ok()) return status;
  artifact.version = absl::GetFlag(FLAGS_model_version);
  artifact.trained_with = Command();
  if (absl::Status status = WriteArtifact(artifact, out); !status.ok()) return status;
  std::cout << "wrote " << out << "\n";
  if (report.empty()) return absl::OkStatus();
  return WriteReport(artifact, request.points, *task, quantized->processor_seconds, report);
}

int Main(int argc, char** argv) {
  const Program program = {
      .name = "anybit-convert",
      .usage =
          "anybit-convert --weights=FILE.safetensors --arch=NAME [--FLAG=VALUE...]: makes an adaptive-bit-width "
          "network of a float one",
      .flags_file = "/anybit_convert.cc"};
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
