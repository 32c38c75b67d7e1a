#include "model/train/trainer/event_file.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/crc32c.h"

namespace anybit::model::train {
namespace {

constexpr char kVersion[] = "brain.Event:2";  // the one that knows sessions

void AppendLittleEndian(std::string& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
}

uint32_t MaskedCrc(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

// A path that no file has yet.
std::string FreePath(const std::string& folder, double now) {
  for (int i = 0;; ++i) {
    std::string path =
        absl::StrFormat("%s/events.out.tfevents.%010d.%04d.anybit", folder, static_cast<int64_t>(now), i);
    std::error_code unknown;
    if (!std::filesystem::exists(path, unknown)) return path;
  }
}

}  // namespace

Scalars ScalarsOf(const StepRecord& record, const Pace& pace) {
  Scalars scalars = {{"learning_rate", record.learning_rate},
                     {"images_per_second", pace.images_per_second},
                     {"seconds_left", pace.seconds_left}};
  for (size_t p = 0; p < record.points.size(); ++p) {
    const PointRecord& point = record.points[p];
    const auto add = [&](const char* what, double value) {
      scalars.emplace_back(absl::StrCat(what, "/", point.point), value);
    };
    add("loss", point.loss);
    add("gradient_norm", point.gradient_norm);
    if (point.saturated.has_value()) add("saturated", *point.saturated);
    for (const auto& [layer, step] : point.activation_steps) {
      scalars.emplace_back(absl::StrCat("activation_step/", point.point, "/", layer), step);
    }
    if (!point.teacher.has_value()) continue;
    for (size_t other = 0; other < p; ++other) {
      const std::string& name = record.points[other].point;
      scalars.emplace_back(absl::StrCat("teacher/", point.point, "/", name), *point.teacher == name ? 1 : 0);
    }
  }
  return scalars;
}

std::string EventRecord(std::string_view data) {
  std::string record;
  AppendLittleEndian(record, data.size(), 8);
  AppendLittleEndian(record, MaskedCrc(record), 4);
  record.append(data);
  AppendLittleEndian(record, MaskedCrc(data), 4);
  return record;
}

absl::StatusOr<EventFile> EventFile::Create(const std::string& folder, int64_t done, double now) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make the folder '", folder, "': ", error.message()));
  EventFile file(FreePath(folder, now));
  proto::TensorBoardEvent event;
  event.set_wall_time(now);
  event.set_file_version(kVersion);
  if (absl::Status status = file.Append(event); !status.ok()) return status;
  event.set_step(done + 1);
  event.mutable_session()->set_status(proto::TensorBoardSession::START);
  if (absl::Status status = file.Append(event); !status.ok()) return status;
  return file;
}

absl::Status EventFile::Write(int64_t step, double now, const Scalars& scalars) {
  proto::TensorBoardEvent event;
  event.set_wall_time(now);
  event.set_step(step);
  for (const auto& [tag, value] : scalars) {
    proto::TensorBoardScalar& scalar = *event.mutable_summary()->add_scalars();
    scalar.set_tag(tag);
    scalar.set_value(static_cast<float>(value));
  }
  return Append(event);
}

absl::Status EventFile::Append(const proto::TensorBoardEvent& event) {
  file_ << EventRecord(event.SerializeAsString()) << std::flush;
  if (!file_) return absl::UnavailableError(absl::StrCat("cannot write '", path_, "'"));
  return absl::OkStatus();
}

}  // namespace anybit::model::train
