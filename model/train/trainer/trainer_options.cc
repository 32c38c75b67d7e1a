#include "model/train/trainer/trainer_options.h"

#include <torch/cuda.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/format/network_spec.h"
#include "model/train/processes/process_group.h"
#include "model/train/trainer/input_shape.h"
#include "model/train/trainer/start.h"

namespace anybit::model::train {

int TrainerOptions::processes() const { return group == nullptr ? 1 : group->size(); }
int TrainerOptions::rank() const { return group == nullptr ? 0 : group->rank(); }

absl::Status CheckIsDue(const PointRecipe& point, int64_t joint_steps) {
  if (joint_steps >= point.interval) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("point '", point.name, "' runs every ", point.interval,
                                                 " joint steps, but there are ", joint_steps));
}

namespace {

absl::Status CheckExamples(const NetworkPlan& plan, const ExampleSet& examples) {
  if (InputShape(plan) != examples.shape()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of ", ToText(examples.shape()), " for a network of ", ToText(InputShape(plan))));
  }
  if (examples.classes() > plan.classes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("examples of ", examples.classes(), " classes for a network of ", plan.classes()));
  }
  return absl::OkStatus();
}

absl::Status CheckRanges(const TrainerOptions& options, int64_t images) {
  // Written so that NaN is refused.
  const auto between = [](const char* what, double value, double lowest, double highest) {
    if (value >= lowest && value <= highest) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(what, " ", value, " is outside ", lowest, "..", highest));
  };
  for (const absl::Status& status :
       {between("batch", static_cast<double>(options.batch), 2, 1e6),
        between("held-out images", static_cast<double>(options.held_out), 1, static_cast<double>(images)),
        between("start steps", static_cast<double>(options.start_steps), 0, 1e12),
        between("joint steps", static_cast<double>(options.joint_steps), 0, 1e12),
        between("norm batches", static_cast<double>(options.norm_batches), 0, 1e9),
        between("checkpoint interval", static_cast<double>(options.checkpoint_interval), 1, 1e12),
        between("progress interval", static_cast<double>(options.progress_interval), 1, 1e12),
        between("step log interval", static_cast<double>(options.step_log_interval), 1, 1e12),
        between("evaluation interval", static_cast<double>(options.evaluation_interval), 0, 1e12),
        between("threads", options.threads, 0, 4096), between("learning rate", options.learning_rate, 1e-9, 100),
        between("joint learning rate", options.joint_learning_rate, 0, 100),
        between("label smoothing", options.label_smoothing, 0, 0.99), between("ema", options.ema, 0, 0.999999),
        between("momentum", options.momentum, 0, 0.999), between("weight decay", options.weight_decay, 0, 10)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Training knows ReLU alone, and pads with black.
absl::Status CheckNodes(const NetworkPlan& plan) {
  const auto refused = [](const PlannedNode& node, const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("node '", node.name, "' ", what,
                                                   ", which training does not know; accepted: convolutions with ReLU "
                                                   "or without, pools, a linear layer"));
  };
  for (const PlannedNode& node : plan.nodes) {
    if (node.kind == NodeKind::kGate) return refused(node, "is a gate");
    if (!node.activation.is_none()) {
      return refused(node, "has the activation " + proto::Activation::Function_Name(node.activation.function));
    }
    if (node.of_sums) return refused(node, "is a convolution of a global pool");
  }
  if (plan.padding_code.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("a network whose input is padded with other codes than 0 cannot be trained");
}

absl::Status CheckPoints(const std::vector<PointRecipe>& points, int64_t joint_steps) {
  for (const PointRecipe& point : points) {
    if (point.name == kStartName) {
      return absl::InvalidArgumentError(absl::StrCat("no point can be named '", kStartName, "'"));
    }
    if (point.full_precision) continue;
    if (absl::Status status = CheckIsDue(point, joint_steps); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckKeepBest(const std::vector<PointRecipe>& points, const TrainerOptions& options) {
  if (options.keep_best.empty()) return absl::OkStatus();
  if (options.evaluation_interval == 0 || options.joint_steps == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("keeping the best network needs evaluations in joint training: ", options.joint_steps,
                     " joint steps, evaluation interval ", options.evaluation_interval));
  }
  if (options.keep_best == kMeanOfPoints) return absl::OkStatus();
  std::string known;
  for (const PointRecipe& point : points) {
    if (point.name == options.keep_best) return absl::OkStatus();
    absl::StrAppend(&known, ", ", point.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the best network by '", options.keep_best, "': accepted are ", kMeanOfPoints, known));
}

absl::Status CheckDevice(const std::string& device) {
  if (device == "cpu") return absl::OkStatus();
  if (device != "cuda" && !device.starts_with("cuda:")) {
    return absl::InvalidArgumentError(absl::StrCat("device '", device, "' is not cpu or cuda"));
  }
  if (!torch::cuda::is_available()) return absl::InvalidArgumentError("device cuda: LibTorch finds none");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOptions(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                          const TrainerOptions& options) {
  const absl::StatusOr<NetworkPlan> plan = PlanNetwork(spec);
  if (!plan.ok()) return plan.status();
  if (points.empty()) return absl::InvalidArgumentError("no operating point to train");
  if (absl::Status status = CheckNodes(*plan); !status.ok()) return status;
  if (absl::Status status = CheckExamples(*plan, examples); !status.ok()) return status;
  if (absl::Status status = CheckRanges(options, examples.count()); !status.ok()) return status;
  const int64_t batch = options.batch * options.processes();
  if (examples.count() - options.held_out < batch) {
    return absl::InvalidArgumentError(absl::StrCat("batch of ", batch, " and ", options.held_out,
                                                   " held-out images do not fit ", examples.count(), " images"));
  }
  if (options.start_steps + options.joint_steps < 1) {
    return absl::InvalidArgumentError("0 + 0 steps are no training");
  }
  if (absl::Status status = CheckPoints(points, options.joint_steps); !status.ok()) return status;
  if (options.ema > 0 && options.norm_batches == 0) {
    return absl::InvalidArgumentError("averaged weights (ema) need norm batches, or their batch norm is another's");
  }
  if (LearnsFromFrozen(options.recipe) && options.start_steps == 0 && options.start == nullptr) {
    return absl::InvalidArgumentError("logits=frozen learns from the start, but there are 0 start steps and no start");
  }
  if (absl::Status status = CheckKeepBest(points, options); !status.ok()) return status;
  if (options.resume && options.checkpoint.empty()) return absl::InvalidArgumentError("resume without a checkpoint");
  if (absl::Status status = CheckDevice(options.device); !status.ok()) return status;
  return options.start == nullptr ? absl::OkStatus() : CheckStart(spec, *options.start);
}

}  // namespace anybit::model::train
