#include "model/train/trainer/step_log.h"

#include "absl/strings/str_cat.h"
#include "base/json_line.h"

namespace anybit::model::train {

std::string StepLine(const StepRecord& record, const Pace& pace) {
  JsonLine points;
  for (const PointRecord& point : record.points) {
    JsonLine one;
    one.Add("loss", point.loss)
        .Add("teacher", point.teacher)
        .Add("gradient_norm", point.gradient_norm)
        .Add("saturated", point.saturated);
    if (!point.activation_steps.empty()) {
      JsonLine steps;
      for (const auto& [layer, step] : point.activation_steps) steps.Add(layer, step);
      one.Add("activation_steps", steps);
    }
    points.Add(point.point, one);
  }
  return JsonLine()
      .Add("step", record.step)
      .Add("phase", record.joint ? "joint" : "start")
      .Add("learning_rate", record.learning_rate)
      .Add("images_per_second", pace.images_per_second)
      .Add("seconds_left", pace.seconds_left)
      .Add("points", points)
      .text();
}

StepLog::StepLog(const std::string& path, bool appends)
    : path_(path), file_(path, appends ? std::ios::app : std::ios::trunc) {}

absl::Status StepLog::Write(const StepRecord& record, const Pace& pace) {
  file_ << StepLine(record, pace) << "\n" << std::flush;
  if (!file_) return absl::UnavailableError(absl::StrCat("cannot write the step log '", path_, "'"));
  return absl::OkStatus();
}

}  // namespace anybit::model::train
