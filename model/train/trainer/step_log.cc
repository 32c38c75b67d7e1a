#include "model/train/trainer/step_log.h"

#include "absl/strings/str_cat.h"
#include "base/json_line.h"

namespace anybit::model::train {
namespace {

double SecondsBetween(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

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

StepLog::StepLog(const std::string& path, bool appends, int64_t interval, int64_t total, int64_t done, int64_t images)
    : path_(path),
      interval_(interval),
      total_(total),
      first_(done),
      images_(images),
      start_(std::chrono::steady_clock::now()),
      last_time_(start_),
      last_step_(done) {
  if (!path.empty()) file_.emplace(path, appends ? std::ios::app : std::ios::trunc);
}

absl::Status StepLog::Write(const StepRecord& record) {
  const auto now = std::chrono::steady_clock::now();
  const auto steps = static_cast<double>(record.step - last_step_), all = static_cast<double>(record.step - first_);
  const Pace pace{.images_per_second = steps * static_cast<double>(images_) / SecondsBetween(last_time_, now),
                  .seconds_left = SecondsBetween(start_, now) / all * static_cast<double>(total_ - record.step)};
  last_time_ = now;
  last_step_ = record.step;
  *file_ << StepLine(record, pace) << "\n" << std::flush;
  if (!*file_) return absl::UnavailableError(absl::StrCat("cannot write the step log '", path_, "'"));
  return absl::OkStatus();
}

}  // namespace anybit::model::train
