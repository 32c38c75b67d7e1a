#include "model/train/trainer/training_log.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::model::train {
namespace {

double SecondsBetween(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Seconds since 1970: TensorBoard shows the time of day beside the step.
double WallTime() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

absl::StatusOr<TrainingLog> TrainingLog::Create(const TrainerOptions& options, int64_t done) {
  TrainingLog log(options, done);
  if (options.rank() != 0) return log;
  if (!options.step_log.empty()) log.lines_.emplace(options.step_log, /*appends=*/done > 0);
  if (!options.tensorboard.empty()) {
    absl::StatusOr<EventFile> events = EventFile::Create(options.tensorboard, done, WallTime());
    if (!events.ok()) return events.status();
    log.events_ = *std::move(events);
  }
  return log;
}

TrainingLog::TrainingLog(const TrainerOptions& options, int64_t done)
    : interval_(options.step_log_interval),
      total_(options.start_steps + options.joint_steps),
      first_(done),
      images_(options.batch * options.processes()),
      start_(std::chrono::steady_clock::now()),
      last_time_(start_),
      last_step_(done) {}

Pace TrainingLog::PaceAt(int64_t step) {
  const auto now = std::chrono::steady_clock::now();
  const auto steps = static_cast<double>(step - last_step_), all = static_cast<double>(step - first_);
  const Pace pace{.images_per_second = steps * static_cast<double>(images_) / SecondsBetween(last_time_, now),
                  .seconds_left = SecondsBetween(start_, now) / all * static_cast<double>(total_ - step)};
  last_time_ = now;
  last_step_ = step;
  return pace;
}

absl::Status TrainingLog::Write(const StepRecord& record) {
  const Pace pace = PaceAt(record.step);
  if (lines_.has_value()) {
    if (absl::Status status = lines_->Write(record, pace); !status.ok()) return status;
  }
  return events_.has_value() ? events_->Write(record.step, WallTime(), ScalarsOf(record, pace)) : absl::OkStatus();
}

absl::Status TrainingLog::WriteAccuracies(int64_t step, const Artifact& artifact) {
  if (!events_.has_value()) return absl::OkStatus();
  Scalars scalars;
  for (const ArtifactPoint& point : artifact.points) {
    scalars.emplace_back(absl::StrCat("held_out_accuracy/", point.info.name), point.info.accuracy);
  }
  return events_->Write(step, WallTime(), scalars);
}

}  // namespace anybit::model::train
