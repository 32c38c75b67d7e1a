#include "server/profile_file.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace anybit {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// A day for one batch is no latency but a mistake; below it, a double holds every nanosecond.
constexpr double kMaxMicroseconds = 24.0 * 3600 * 1e6;

const Value* Find(const Struct& object, const char* member) {
  const auto found = object.fields().find(member);
  return found == object.fields().end() ? nullptr : &found->second;
}

std::string Quoted(const std::string& text) {
  Value value;
  value.set_string_value(text);
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(value, &json);
  return json;
}

// The fewest digits that read back as the same number.
std::string ShortestText(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

absl::StatusOr<Duration> ParseMicroseconds(const Value& value, const std::string& where) {
  const double us = value.number_value();
  if (!value.has_number_value() || !(us > 0) || us > kMaxMicroseconds) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, " is not a number of microseconds above 0 and at most ", kMaxMicroseconds));
  }
  return Duration(std::llround(us * 1000));
}

absl::Status ParsePoint(const Value& value, const std::string& where, Profile& profile) {
  const Value* name = Find(value.struct_value(), "name");
  const Value* accuracy = Find(value.struct_value(), "accuracy");
  const Value* latency = Find(value.struct_value(), "latency_us");
  if (name == nullptr || !name->has_string_value()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".name is not a string"));
  }
  if (accuracy == nullptr || !accuracy->has_number_value()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".accuracy is not a number"));
  }
  if (latency == nullptr || !latency->has_list_value()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".latency_us is not a list"));
  }
  std::vector<Duration> durations;
  for (const Value& item : latency->list_value().values()) {
    absl::StatusOr<Duration> duration =
        ParseMicroseconds(item, absl::StrCat(where, ".latency_us[", durations.size(), "]"));
    if (!duration.ok()) return duration.status();
    durations.push_back(*duration);
  }
  profile.points.push_back({.name = name->string_value(), .accuracy = accuracy->number_value()});
  profile.latency.push_back(std::move(durations));
  return absl::OkStatus();
}

// The string `member` of `object`, or InvalidArgument.
absl::StatusOr<std::string> ParseString(const Struct& object, const char* member, const std::string& where) {
  const Value* value = Find(object, member);
  if (value == nullptr || !value->has_string_value()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".", member, " is not a string"));
  }
  return value->string_value();
}

absl::StatusOr<LayerChoice> ParseLayerChoice(const Value& value, const std::string& where) {
  LayerChoice choice;
  for (const auto& [member, text] : {std::pair("point", &choice.point), std::pair("node", &choice.node)}) {
    absl::StatusOr<std::string> parsed = ParseString(value.struct_value(), member, where);
    if (!parsed.ok()) return parsed.status();
    *text = *std::move(parsed);
  }
  const Value* algorithms = Find(value.struct_value(), "algorithms");
  const int size = algorithms == nullptr ? 0 : algorithms->list_value().values_size();
  if (size != static_cast<int>(choice.algorithms.size())) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".algorithms is not a list of ", choice.algorithms.size()));
  }
  for (int i = 0; i < size; ++i) {
    const Value& algorithm = algorithms->list_value().values(i);
    if (!algorithm.has_string_value()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ".algorithms[", i, "] is not a string"));
    }
    choice.algorithms[i] = algorithm.string_value();
  }
  return choice;
}

absl::StatusOr<KernelChoices> ParseKernels(const Value& value) {
  absl::StatusOr<std::string> isa = ParseString(value.struct_value(), "isa", "kernels");
  if (!isa.ok()) return isa.status();
  KernelChoices kernels{.isa = *std::move(isa), .layers = {}};
  const Value* layers = Find(value.struct_value(), "layers");
  if (layers == nullptr || !layers->has_list_value()) {
    return absl::InvalidArgumentError("kernels.layers is not a list");
  }
  for (const Value& layer : layers->list_value().values()) {
    absl::StatusOr<LayerChoice> choice =
        ParseLayerChoice(layer, absl::StrCat("kernels.layers[", kernels.layers.size(), "]"));
    if (!choice.ok()) return choice.status();
    kernels.layers.push_back(*std::move(choice));
  }
  return kernels;
}

absl::StatusOr<ProfileFingerprint> ParseFingerprint(const Value& value) {
  ProfileFingerprint fingerprint;
  for (const auto& [member, text] : {std::pair("network", &fingerprint.network), std::pair("isa", &fingerprint.isa),
                                     std::pair("processor", &fingerprint.processor)}) {
    absl::StatusOr<std::string> parsed = ParseString(value.struct_value(), member, "fingerprint");
    if (!parsed.ok()) return parsed.status();
    *text = *std::move(parsed);
  }
  const Value* threads = Find(value.struct_value(), "threads_per_slot");
  if (threads == nullptr || !(threads->number_value() >= 1 && threads->number_value() <= 1e6)) {
    return absl::InvalidArgumentError("fingerprint.threads_per_slot is not a number of threads");
  }
  fingerprint.threads_per_slot = static_cast<int>(threads->number_value());
  return fingerprint;
}

// The member "fingerprint", with its comma in front.
std::string FingerprintToJson(const ProfileFingerprint& fingerprint) {
  return absl::StrCat(",\n  \"fingerprint\": {\"network\": ", Quoted(fingerprint.network),
                      ", \"isa\": ", Quoted(fingerprint.isa), ", \"processor\": ", Quoted(fingerprint.processor),
                      ", \"threads_per_slot\": ", fingerprint.threads_per_slot, "}");
}

// Where a file is written before it is complete: in the same folder, under a name of this process.
std::string UnfinishedName(const std::string& path) { return absl::StrCat(path, ".", getpid(), ".partial"); }

absl::Status CannotWrite(const std::string& path) {
  return absl::UnavailableError(absl::StrCat("cannot write profile ", path, ": ", std::strerror(errno)));
}

// The member "kernels", with its comma in front.
std::string KernelsToJson(const KernelChoices& kernels) {
  std::string json = absl::StrCat(",\n  \"kernels\": {\"isa\": ", Quoted(kernels.isa), ", \"layers\": [");
  const char* separator = "\n";
  for (const LayerChoice& layer : kernels.layers) {
    absl::StrAppend(&json, separator, "    {\"point\": ", Quoted(layer.point), ", \"node\": ", Quoted(layer.node),
                    ", \"algorithms\": [");
    for (size_t i = 0; i < layer.algorithms.size(); ++i) {
      absl::StrAppend(&json, i ? ", " : "", Quoted(layer.algorithms[i]));
    }
    json += "]}";
    separator = ",\n";
  }
  return json + "\n  ]}";
}

}  // namespace

std::string ProfileToJson(const MeasuredProfile& measured) {
  const Profile& profile = measured.latencies;
  std::string json = absl::StrCat("{\n  \"max_batch\": ", profile.max_batch, ",\n  \"points\": [");
  for (size_t point = 0; point < profile.points.size(); ++point) {
    absl::StrAppendFormat(&json, "%s\n    {\"name\": %s, \"accuracy\": %s, \"latency_us\": [", point ? "," : "",
                          Quoted(profile.points[point].name), ShortestText(profile.points[point].accuracy));
    for (size_t i = 0; i < profile.latency[point].size(); ++i) {
      const int64_t ns = profile.latency[point][i].count();
      absl::StrAppendFormat(&json, "%s%d.%03d", i ? ", " : "", ns / 1000, ns % 1000);
    }
    json += "]}";
  }
  json += "\n  ]";
  if (measured.kernels.has_value()) json += KernelsToJson(*measured.kernels);
  if (measured.fingerprint.has_value()) json += FingerprintToJson(*measured.fingerprint);
  return json + "\n}\n";
}

absl::StatusOr<MeasuredProfile> ProfileFromJson(const std::string& json) {
  Struct root;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &root);
  if (!parsed.ok()) return absl::InvalidArgumentError(absl::StrCat("not a JSON object: ", parsed.ToString()));
  const Value* max_batch = Find(root, "max_batch");
  // The bound keeps the conversion to int defined; ValidateProfile compares the value with the lists.
  if (max_batch == nullptr || !max_batch->has_number_value() || !(std::abs(max_batch->number_value()) <= 1e6) ||
      max_batch->number_value() != std::floor(max_batch->number_value())) {
    return absl::InvalidArgumentError("max_batch is not a whole number up to 1000000");
  }
  Profile profile{.max_batch = static_cast<int>(max_batch->number_value())};
  const Value* points = Find(root, "points");
  if (points == nullptr || !points->has_list_value()) return absl::InvalidArgumentError("points is not a list");
  for (int i = 0; i < points->list_value().values_size(); ++i) {
    const absl::Status status = ParsePoint(points->list_value().values(i), absl::StrCat("points[", i, "]"), profile);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ValidateProfile(profile); !status.ok()) return status;
  MeasuredProfile measured{.latencies = std::move(profile)};
  if (const Value* kernels = Find(root, "kernels"); kernels != nullptr) {
    absl::StatusOr<KernelChoices> choices = ParseKernels(*kernels);
    if (!choices.ok()) return choices.status();
    measured.kernels = *std::move(choices);
  }
  if (const Value* fingerprint = Find(root, "fingerprint"); fingerprint != nullptr) {
    absl::StatusOr<ProfileFingerprint> parsed_fingerprint = ParseFingerprint(*fingerprint);
    if (!parsed_fingerprint.ok()) return parsed_fingerprint.status();
    measured.fingerprint = *std::move(parsed_fingerprint);
  }
  return measured;
}

absl::StatusOr<MeasuredProfile> ReadProfile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read profile ", path));
  absl::StatusOr<MeasuredProfile> profile = ProfileFromJson(json);
  if (!profile.ok()) {
    return absl::Status(profile.status().code(), absl::StrCat("profile ", path, ": ", profile.status().message()));
  }
  return profile;
}

absl::Status WriteProfile(const MeasuredProfile& profile, const std::string& path) {
  const std::string unfinished = UnfinishedName(path);
  errno = 0;
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << ProfileToJson(profile);
  file.close();
  if (file && std::rename(unfinished.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const absl::Status status = CannotWrite(path);
  unlink(unfinished.c_str());
  return status;
}

absl::Status CanWriteProfile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::UnavailableError(absl::StrCat("cannot write profile ", path, ": it is a folder"));
  }
  const std::string unfinished = UnfinishedName(path);
  errno = 0;
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << ' ';
  file.close();
  const absl::Status status = file ? absl::OkStatus() : CannotWrite(path);
  unlink(unfinished.c_str());
  return status;
}

std::string NetworkDifference(const ProfileFingerprint& stored, const ProfileFingerprint& here) {
  if (stored.network.empty() || here.network.empty() || stored.network == here.network) return "";
  return absl::StrCat("it is of network '", stored.network, "', this is '", here.network, "'");
}

std::string MachineDifference(const ProfileFingerprint& stored, const ProfileFingerprint& here) {
  const auto differ = [](const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; };
  if (differ(stored.isa, here.isa)) {
    return absl::StrCat("it was measured with the kernels ", stored.isa, ", these are ", here.isa);
  }
  if (differ(stored.processor, here.processor)) {
    return absl::StrCat("it was measured on '", stored.processor, "', this is '", here.processor, "'");
  }
  if (stored.threads_per_slot != here.threads_per_slot) {
    return absl::StrCat("it was measured with ", stored.threads_per_slot, " threads per slot, here are ",
                        here.threads_per_slot);
  }
  return "";
}

}  // namespace anybit
