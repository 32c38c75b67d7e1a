#include "model/train/import_source.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "model/data/folder_examples.h"
#include "model/data/open_examples.h"
#include "model/format/network_spec.h"
#include "model/format/safetensors.h"
#include "model/import/import_onnx.h"
#include "model/train/task.h"
#include "model/train/trainer/input_shape.h"

namespace anybit::model::train {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 30;
constexpr int64_t kMaxLabelBytes = int64_t{16} << 20;
constexpr char kDefaultData[] = "/usr/share/datasets/fashion-mnist";

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::StatusOr<Artifact> ReadWeights(const std::string& path, const NetworkSpec& spec,
                                     const InputNormalisation& normalisation, std::ostream& log) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<TensorFile> file = ParseSafetensors(*text);
  if (!file.ok()) return absl::Status(file.status().code(), absl::StrCat("'", path, "': ", file.status().message()));
  absl::StatusOr<FloatNetwork> network = ImportFloatNetwork(*file, spec, normalisation);
  if (!network.ok()) return Refused("'", path, "': ", network.status().message());
  if (!network->unneeded.empty()) log << "unneeded tensors of '" << path << "': " << network->unneeded << "\n";
  return std::move(network->artifact);
}

absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& path) {
  if (path.empty()) return std::vector<std::string>{};
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxLabelBytes);
  if (!text.ok()) return text.status();
  std::vector<std::string> labels = absl::StrSplit(*text, '\n');
  for (std::string& label : labels) {
    if (label.ends_with('\r')) label.pop_back();
  }
  if (!labels.empty() && labels.back().empty()) labels.pop_back();
  return labels;
}

// The labels of the artifact: those of the file, else the names of the classes.
absl::Status SetLabels(std::vector<std::string> labels, const ExampleSet* examples, Artifact& artifact) {
  if (labels.empty() && examples != nullptr) labels = examples->class_names();
  if (labels.empty()) return absl::OkStatus();
  artifact.spec.mutable_labels()->Assign(labels.begin(), labels.end());
  return PlanNetwork(artifact.spec).status();
}

// Declares float inputs that are normalised as those of the float network, which reads them in `form`.
absl::Status SetFloatInput(const ImportPlaces& places, InputForm form, Artifact& artifact) {
  std::string layout = places.float_input;
  if (layout == "auto") {
    layout = form == InputForm::kCodes ? "none" : form == InputForm::kChannelsLast ? "nhwc" : "nchw";
  }
  if (layout == "none") return absl::OkStatus();
  if (layout != "nchw" && layout != "nhwc") {
    return Refused("--float_input: '", layout, "' is none of auto, nchw, nhwc, none");
  }
  proto::FloatInput& input = *artifact.spec.mutable_float_input();
  input.set_channels_first(layout == "nchw");
  input.set_scale(form == InputForm::kCodes ? 1 : 1.0 / 255);
  const int64_t channels = artifact.spec.input().shape(artifact.spec.input().shape_size() - 1);
  for (int64_t c = 0; c < channels; ++c) {
    input.add_mean(static_cast<double>(places.normalisation.MeanOf(static_cast<size_t>(c))));
    input.add_std(static_cast<double>(places.normalisation.DeviationOf(static_cast<size_t>(c))));
  }
  return PlanNetwork(artifact.spec).status();
}

absl::StatusOr<ImportSource> OpenResNet(const ImportPlaces& places, std::ostream& log) {
  absl::StatusOr<Task> task = OpenTask(places.arch, places.data.empty() ? kDefaultData : places.data);
  if (!task.ok()) return task.status();
  absl::StatusOr<Artifact> full = ReadWeights(places.weights, task->spec, places.normalisation, log);
  if (!full.ok()) return full.status();
  ImportSource source{.full = *std::move(full), .architecture = task->architecture};
  if (absl::Status status = SetFloatInput(places, InputForm::kChannelsFirst, source.full); !status.ok()) return status;
  source.estimation = std::move(task->training);
  source.test = std::move(task->test);
  for (int c = 0; c < source.estimation->shape().channels; ++c) {
    source.border.push_back(255 * places.normalisation.MeanOf(static_cast<size_t>(c)));
  }
  return source;
}

// Opens labelled examples for `source`, whose network is there.
absl::Status OpenLabelled(const std::string& data, ImportSource& source) {
  const NetworkPlan plan = *PlanNetwork(source.full.spec);
  absl::StatusOr<std::unique_ptr<ExampleSet>> training = OpenExamples(data, Split::kTrain, InputShape(plan));
  if (!training.ok()) return training.status();
  absl::StatusOr<std::unique_ptr<ExampleSet>> test = OpenExamples(data, Split::kTest, InputShape(plan));
  if (!test.ok()) return test.status();
  const bool named = !(*training)->class_names().empty();
  if ((*training)->classes() > plan.classes() || (named && (*training)->classes() != plan.classes())) {
    return Refused("'", data, "' has ", (*training)->classes(), " classes, the network ", plan.classes(),
                   " (--calibration takes images without classes)");
  }
  source.estimation = *std::move(training);
  source.test = *std::move(test);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ExampleSet>> OpenLoose(const std::string& folder, const Artifact& full) {
  absl::StatusOr<std::unique_ptr<FolderExamples>> rows =
      FolderExamples::OfLooseImages(folder, InputShape(*PlanNetwork(full.spec)));
  if (!rows.ok()) return rows.status();
  return std::unique_ptr<ExampleSet>(*std::move(rows));
}

absl::StatusOr<ImportSource> OpenOnnx(const ImportPlaces& places, std::ostream& log) {
  absl::StatusOr<ImportedNetwork> network = ImportOnnx(
      places.onnx, {.scaling = {places.normalisation.mean, places.normalisation.deviation}, .output = places.output});
  if (!network.ok()) return network.status();
  for (const std::string& note : network->notes) log << note << "\n";
  ImportSource source{
      .full = std::move(network->artifact), .border = std::move(network->border), .sparse = std::move(network->sparse)};
  source.architecture = source.full.spec.name();
  if (absl::Status status = SetFloatInput(places, network->input_form, source.full); !status.ok()) return status;
  if (places.data.empty() && places.calibration.empty()) {
    return Refused("neither --calibration nor --data names images to estimate ranges from");
  }
  if (!places.data.empty()) {
    if (absl::Status status = OpenLabelled(places.data, source); !status.ok()) return status;
  }
  return source;
}

// Sets or removes the artifact's padding codes.
absl::Status SetBorder(const ImportPlaces& places, ImportSource& source) {
  NetworkSpec& spec = source.full.spec;
  if (places.border != "mean" && places.border != "black") {
    return Refused("--border: '", places.border, "' is neither mean nor black");
  }
  const auto within = [](float code) { return code >= 0 && code <= 255; };
  const bool some = std::any_of(source.border.begin(), source.border.end(), [](float code) { return code != 0; });
  spec.clear_padding_code();
  if (places.border == "black" || !some) return absl::OkStatus();
  if (std::all_of(source.border.begin(), source.border.end(), within)) {
    spec.mutable_padding_code()->Assign(source.border.begin(), source.border.end());
  }
  return PlanNetwork(spec).status();
}

}  // namespace

absl::StatusOr<ImportSource> OpenImportSource(const ImportPlaces& places, std::ostream& log) {
  absl::StatusOr<std::vector<std::string>> labels = ReadLabels(places.labels);
  if (!labels.ok()) return labels.status();
  absl::StatusOr<ImportSource> source = places.onnx.empty() ? OpenResNet(places, log) : OpenOnnx(places, log);
  if (!source.ok()) return source;
  if (absl::Status status = SetBorder(places, *source); !status.ok()) return status;
  if (!places.name.empty()) source->full.spec.set_name(places.name);
  source->labelled = source->test != nullptr;
  const ExampleSet* of_labels = places.onnx.empty() ? nullptr : source->test.get();
  if (absl::Status status = SetLabels(*std::move(labels), of_labels, source->full); !status.ok()) return status;
  if (!places.calibration.empty()) {
    absl::StatusOr<std::unique_ptr<ExampleSet>> rows = OpenLoose(places.calibration, source->full);
    if (!rows.ok()) return rows.status();
    source->estimation = *std::move(rows);
  }
  if (source->labelled) return source;
  absl::StatusOr<std::unique_ptr<ExampleSet>> rows = OpenLoose(places.calibration, source->full);
  if (!rows.ok()) return rows.status();
  source->test = *std::move(rows);
  return source;
}

}  // namespace anybit::model::train
