#include "server/load_parameters.h"

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/served_versions.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using Value = inference::ModelRepositoryParameter;

absl::Status WrongType(absl::string_view name, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("invalid value type for '", name, "' parameter, expected ", expected, "."));
}

absl::Status Unknown(absl::string_view name, absl::string_view known) {
  return absl::InvalidArgumentError(absl::StrCat("unknown parameter ", ShownText(name), ", known: ", known));
}

absl::StatusOr<bool> IsCanary(const Value& value) {
  if (!value.has_string_param()) return WrongType("label", "string_param");
  if (value.string_param() == kCanaryLabel) return true;
  if (value.string_param() == kStableLabel) return false;
  return absl::InvalidArgumentError(
      absl::StrCat("invalid value for 'label': ", ShownText(value.string_param()), ", expected 'stable' or 'canary'."));
}

absl::Status ReadParameter(const std::string& name, const Value& value, LoadParameters& wanted) {
  if (name == "artifact") {
    if (!value.has_string_param()) return WrongType(name, "string_param");
    wanted.file = value.string_param();
    return absl::OkStatus();
  }
  if (name == "label") {
    const absl::StatusOr<bool> canary = IsCanary(value);
    if (canary.ok()) wanted.is_canary = *canary;
    return canary.status();
  }
  if (name == "share_bp") {
    if (!value.has_int64_param()) return WrongType(name, "int64_param");
    if (value.int64_param() < 1 || value.int64_param() > 10000) {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid value for 'share_bp': ", value.int64_param(), ", expected 1 to 10000."));
    }
    wanted.share_bp = static_cast<int>(value.int64_param());
    return absl::OkStatus();
  }
  if (name == "config" || absl::StartsWith(name, "file:")) {
    return absl::InvalidArgumentError(absl::StrCat("parameter ", ShownText(name),
                                                   " is not offered: an artifact comes from the server's disk and has "
                                                   "its configuration in it"));
  }
  return Unknown(name, "artifact, label, share_bp");
}

}  // namespace

absl::StatusOr<LoadParameters> ReadLoadParameters(const inference::RepositoryModelLoadRequest& request) {
  LoadParameters wanted;
  for (const auto& [name, value] : request.parameters()) {
    if (absl::Status status = ReadParameter(name, value, wanted); !status.ok()) return status;
  }
  if (wanted.share_bp != 0 && !wanted.is_canary) {
    return absl::InvalidArgumentError("'share_bp' is for the label 'canary'");
  }
  if (wanted.is_canary && wanted.share_bp == 0) wanted.share_bp = kDefaultCanaryShareBp;
  return wanted;
}

absl::StatusOr<bool> ReadUnloadsCanaryOnly(const inference::RepositoryModelUnloadRequest& request) {
  bool canary_only = false;
  for (const auto& [name, value] : request.parameters()) {
    if (name == "label") {
      const absl::StatusOr<bool> canary = IsCanary(value);
      if (!canary.ok()) return canary.status();
      canary_only = *canary;
    } else if (name == "unload_dependents") {
      if (!value.has_bool_param()) return WrongType(name, "bool_param");
    } else {
      return Unknown(name, "label, unload_dependents");
    }
  }
  return canary_only;
}

absl::StatusOr<std::string> FindArtifact(const std::string& artifact, const std::string& file) {
  namespace fs = std::filesystem;
  if (file.find('/') != std::string::npos || file.find('\0') != std::string::npos || file == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("'artifact' is ", ShownText(file), ", not the name of a file in the folder of --artifact"));
  }
  std::error_code error;
  const fs::path folder =
      fs::canonical(fs::path(artifact).parent_path().empty() ? "." : fs::path(artifact).parent_path(), error);
  const fs::path wanted = file.empty() ? fs::path(artifact) : fs::path(artifact).parent_path() / file;
  const fs::path found = error ? fs::path() : fs::canonical(wanted, error);
  const std::string name = wanted.filename().string();
  if (error || !fs::is_regular_file(found, error)) {
    return absl::NotFoundError(absl::StrCat("there is no artifact ", ShownText(name)));
  }
  // What the operator named may be a link to anywhere; what a client names may not.
  const fs::path beside = found.lexically_relative(folder);
  if (!file.empty() && (beside.empty() || *beside.begin() == "..")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'artifact' is ", ShownText(name), ", a link to outside the folder of --artifact"));
  }
  return found.string();
}

}  // namespace anybit::server
