#include "server/profile_file.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_line.h"
#include "scheduler/latency/profile_json.h"

namespace anybit::server {
namespace {

// The string `member` of `object`, or InvalidArgument.
absl::StatusOr<std::string> ParseString(const Json& object, const char* member, const std::string& where) {
  const Json* value = JsonMember(object, member);
  if (value == nullptr || !value->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".", member, " is not a string"));
  }
  return value->get<std::string>();
}

absl::StatusOr<model::LayerChoice> ParseLayerChoice(const Json& value, const std::string& where) {
  model::LayerChoice choice;
  for (const auto& [member, text] : {std::pair("point", &choice.point), std::pair("node", &choice.node)}) {
    absl::StatusOr<std::string> parsed = ParseString(value, member, where);
    if (!parsed.ok()) return parsed.status();
    *text = *std::move(parsed);
  }
  const Json* algorithms = JsonMember(value, "algorithms");
  const size_t size = algorithms != nullptr && algorithms->is_array() ? algorithms->size() : 0;
  if (size != choice.algorithms.size()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ".algorithms is not a list of ", choice.algorithms.size()));
  }
  for (size_t i = 0; i < size; ++i) {
    const Json& algorithm = (*algorithms)[i];
    if (!algorithm.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ".algorithms[", i, "] is not a string"));
    }
    choice.algorithms[i] = algorithm.get<std::string>();
  }
  return choice;
}

absl::StatusOr<model::KernelChoices> ParseKernels(const Json& value) {
  absl::StatusOr<std::string> isa = ParseString(value, "isa", "kernels");
  if (!isa.ok()) return isa.status();
  model::KernelChoices kernels{.isa = *std::move(isa), .layers = {}};
  const Json* layers = JsonMember(value, "layers");
  if (layers == nullptr || !layers->is_array()) {
    return absl::InvalidArgumentError("kernels.layers is not a list");
  }
  for (const Json& layer : *layers) {
    absl::StatusOr<model::LayerChoice> choice =
        ParseLayerChoice(layer, absl::StrCat("kernels.layers[", kernels.layers.size(), "]"));
    if (!choice.ok()) return choice.status();
    kernels.layers.push_back(*std::move(choice));
  }
  return kernels;
}

absl::StatusOr<ProfileFingerprint> ParseFingerprint(const Json& value) {
  ProfileFingerprint fingerprint;
  for (const auto& [member, text] : {std::pair("network", &fingerprint.network), std::pair("isa", &fingerprint.isa),
                                     std::pair("processor", &fingerprint.processor)}) {
    absl::StatusOr<std::string> parsed = ParseString(value, member, "fingerprint");
    if (!parsed.ok()) return parsed.status();
    *text = *std::move(parsed);
  }
  const Json* threads = JsonMember(value, "threads_per_slot");
  const double count = threads != nullptr && threads->is_number() ? threads->get<double>() : 0;
  if (!(count >= 1 && count <= 1e6)) {
    return absl::InvalidArgumentError("fingerprint.threads_per_slot is not a number of threads");
  }
  fingerprint.threads_per_slot = static_cast<int>(count);
  return fingerprint;
}

// The member "fingerprint".
std::string FingerprintToJson(const ProfileFingerprint& fingerprint) {
  return absl::StrCat("\"fingerprint\": {\"network\": ", JsonQuoted(fingerprint.network),
                      ", \"isa\": ", JsonQuoted(fingerprint.isa),
                      ", \"processor\": ", JsonQuoted(fingerprint.processor),
                      ", \"threads_per_slot\": ", fingerprint.threads_per_slot, "}");
}

// The member "kernels".
std::string KernelsToJson(const model::KernelChoices& kernels) {
  std::string json = absl::StrCat("\"kernels\": {\"isa\": ", JsonQuoted(kernels.isa), ", \"layers\": [");
  const char* separator = "\n";
  for (const model::LayerChoice& layer : kernels.layers) {
    absl::StrAppend(&json, separator, "    {\"point\": ", JsonQuoted(layer.point),
                    ", \"node\": ", JsonQuoted(layer.node), ", \"algorithms\": [");
    for (size_t i = 0; i < layer.algorithms.size(); ++i) {
      absl::StrAppend(&json, i ? ", " : "", JsonQuoted(layer.algorithms[i]));
    }
    json += "]}";
    separator = ",\n";
  }
  return json + "\n  ]}";
}

// `status` of writing a profile: whatever the reason, the server goes without the file.
absl::Status ProfileWritten(const absl::Status& status) {
  return status.ok() ? status : absl::UnavailableError(absl::StrCat("profile: ", status.message()));
}

}  // namespace

std::string ProfileToJson(const MeasuredProfile& measured) {
  std::vector<std::string> members;
  if (measured.kernels.has_value()) members.push_back(KernelsToJson(*measured.kernels));
  if (measured.fingerprint.has_value()) members.push_back(FingerprintToJson(*measured.fingerprint));
  return scheduler::WriteProfileJson(measured.latencies, absl::StrJoin(members, ",\n  "));
}

absl::StatusOr<MeasuredProfile> ProfileFromJson(const std::string& json) {
  const absl::StatusOr<Json> root = ParseJsonObject(json);
  if (!root.ok()) return root.status();
  absl::StatusOr<scheduler::Profile> latencies = scheduler::ProfileFromJsonValue(*root);
  if (!latencies.ok()) return latencies.status();
  MeasuredProfile measured{.latencies = *std::move(latencies)};
  if (const Json* kernels = JsonMember(*root, "kernels"); kernels != nullptr) {
    absl::StatusOr<model::KernelChoices> choices = ParseKernels(*kernels);
    if (!choices.ok()) return choices.status();
    measured.kernels = *std::move(choices);
  }
  if (const Json* fingerprint = JsonMember(*root, "fingerprint"); fingerprint != nullptr) {
    absl::StatusOr<ProfileFingerprint> parsed = ParseFingerprint(*fingerprint);
    if (!parsed.ok()) return parsed.status();
    measured.fingerprint = *std::move(parsed);
  }
  return measured;
}

absl::StatusOr<MeasuredProfile> ReadProfile(const std::string& path) {
  const absl::StatusOr<std::string> json = ReadFile(path);
  if (!json.ok()) return absl::NotFoundError(absl::StrCat("cannot read profile ", path));
  absl::StatusOr<MeasuredProfile> profile = ProfileFromJson(*json);
  if (profile.ok()) return profile;
  return absl::Status(profile.status().code(), absl::StrCat("profile ", path, ": ", profile.status().message()));
}

absl::Status WriteProfile(const MeasuredProfile& profile, const std::string& path) {
  return ProfileWritten(ReplaceFile(path, ProfileToJson(profile)));
}

absl::Status CanWriteProfile(const std::string& path) { return ProfileWritten(CheckReplaceable(path)); }

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

}  // namespace anybit::server
