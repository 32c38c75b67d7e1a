#include "scheduler/latency/profile_json.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/json_line.h"

namespace anybit::scheduler {
namespace {

// A longer batch is a mistake in the file. Below this bound a double holds every nanosecond.
constexpr double kMaxMicroseconds = 24.0 * 3600 * 1e6;

// Keeps the conversion to int defined; ValidateProfile compares the value with the lists.
constexpr double kMaxBatch = 1e6;

// The fewest digits that read back as the same number.
std::string ShortestText(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

std::string MicrosecondsOf(const std::vector<Duration>& latencies) {
  return absl::StrJoin(latencies, ", ", [](std::string* out, Duration latency) {
    absl::StrAppendFormat(out, "%d.%03d", latency.count() / 1000, latency.count() % 1000);
  });
}

absl::StatusOr<Duration> ParseMicroseconds(const Json& value, const std::string& where) {
  const double us = value.is_number() ? value.get<double>() : 0;
  if (!(us > 0) || us > kMaxMicroseconds) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is not a number of microseconds above 0 and at most ", kMaxMicroseconds));
  }
  return Duration(std::llround(us * 1000));
}

absl::StatusOr<std::vector<Duration>> ParseLatencies(const Json& list, const std::string& where) {
  if (!list.is_array()) return absl::InvalidArgumentError(absl::StrCat(where, " is not a list"));
  std::vector<Duration> durations;
  for (const Json& item : list) {
    absl::StatusOr<Duration> duration = ParseMicroseconds(item, absl::StrCat(where, "[", durations.size(), "]"));
    if (!duration.ok()) return duration.status();
    durations.push_back(*duration);
  }
  return durations;
}

absl::Status ParsePoint(const Json& value, const std::string& where, Profile& profile) {
  const Json* name = JsonMember(value, "name");
  const Json* accuracy = JsonMember(value, "accuracy");
  const Json* latency = JsonMember(value, "latency_us");
  if (name == nullptr || !name->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".name is not a string"));
  }
  if (accuracy == nullptr || !accuracy->is_number()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".accuracy is not a number"));
  }
  if (latency == nullptr) return absl::InvalidArgumentError(absl::StrCat(where, ".latency_us is not a list"));
  absl::StatusOr<std::vector<Duration>> durations = ParseLatencies(*latency, absl::StrCat(where, ".latency_us"));
  if (!durations.ok()) return durations.status();
  profile.points.push_back({.name = name->get<std::string>(), .accuracy = accuracy->get<double>()});
  profile.latency.push_back(*std::move(durations));
  if (const Json* rested = JsonMember(value, "rested_us"); rested != nullptr) {
    durations = ParseLatencies(*rested, absl::StrCat(where, ".rested_us"));
    if (!durations.ok()) return durations.status();
    profile.rested.push_back(*std::move(durations));
  }
  return absl::OkStatus();
}

}  // namespace

std::string WriteProfileJson(const Profile& profile, absl::string_view more_members) {
  std::string json = absl::StrCat("{\n  \"max_batch\": ", profile.max_batch, ",\n  \"points\": [");
  for (size_t point = 0; point < profile.points.size(); ++point) {
    absl::StrAppendFormat(&json, "%s\n    {\"name\": %s, \"accuracy\": %s, \"latency_us\": [", point ? "," : "",
                          JsonQuoted(profile.points[point].name), ShortestText(profile.points[point].accuracy));
    absl::StrAppend(&json, MicrosecondsOf(profile.latency[point]), "]");
    if (!profile.rested.empty()) {
      absl::StrAppend(&json, ", \"rested_us\": [", MicrosecondsOf(profile.rested[point]), "]");
    }
    json += "}";
  }
  return absl::StrCat(json, "\n  ]", more_members.empty() ? "" : ",\n  ", more_members, "\n}\n");
}

absl::StatusOr<Profile> ProfileFromJsonValue(const Json& root) {
  const Json* max_batch = JsonMember(root, "max_batch");
  const double batch = max_batch != nullptr && max_batch->is_number() ? max_batch->get<double>() : NAN;
  if (!(std::abs(batch) <= kMaxBatch) || batch != std::floor(batch)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch is not a whole number up to ", static_cast<int64_t>(kMaxBatch)));
  }
  Profile profile{.max_batch = static_cast<int>(batch)};
  const Json* points = JsonMember(root, "points");
  if (points == nullptr || !points->is_array()) return absl::InvalidArgumentError("points is not a list");
  for (size_t i = 0; i < points->size(); ++i) {
    const absl::Status status = ParsePoint((*points)[i], absl::StrCat("points[", i, "]"), profile);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ValidateProfile(profile); !status.ok()) return status;
  return profile;
}

absl::StatusOr<Profile> ReadProfileJson(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return absl::NotFoundError(absl::StrCat("cannot read profile ", path));
  const absl::StatusOr<Json> root = ParseJsonObject(*text);
  absl::StatusOr<Profile> profile = root.ok() ? ProfileFromJsonValue(*root) : root.status();
  if (profile.ok()) return profile;
  return absl::Status(profile.status().code(), absl::StrCat("profile ", path, ": ", profile.status().message()));
}

}  // namespace anybit::scheduler
