#include "server/served_versions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/hash.h"
#include "base/random.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

constexpr uint64_t kAllBasisPoints = 10000;

std::string ShapeText(const model::TensorDescription& tensor) {
  return absl::StrCat(tensor.name, " [", absl::StrJoin(tensor.shape, ","), "]");
}

absl::Status Differs(absl::string_view what, const std::string& other, const std::string& served) {
  return absl::InvalidArgumentError(
      absl::StrCat("the ", what, " is ", other, ", that of the served network is ", served, "; start another server"));
}

// What FP32 inputs stand for, with all digits.
std::string FloatText(const model::NetworkDescription& description) {
  if (!description.floats.has_value()) return "none";
  const model::FloatInput& floats = *description.floats;
  const auto exact = [](std::string* out, double value) { absl::StrAppendFormat(out, "%.17g", value); };
  return absl::StrCat(floats.channels_first ? "NCHW" : "NHWC", ", scale ", absl::StrFormat("%.17g", floats.scale),
                      ", mean ", absl::StrJoin(floats.mean, ",", exact), ", std ",
                      absl::StrJoin(floats.deviation, ",", exact));
}

// The version that `text` names among those of `labels`.
absl::StatusOr<SharedVersion> Named(const std::string& model, absl::string_view text, const VersionLabels& labels) {
  if (text == kStableLabel) return labels.stable;
  if (text == kCanaryLabel) {
    if (labels.canary != nullptr) return labels.canary;
    return absl::NotFoundError(
        absl::StrCat("Request for unknown model: '", model, "' has no version with the label 'canary'"));
  }
  int64_t number = 0;
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit) || !absl::SimpleAtoi(text, &number) || number < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("failed to get model version from specified version string ", ShownText(text)));
  }
  std::vector<int64_t> served;
  for (SharedVersion& version : labels.all()) {
    served.push_back(version->model().network.version);
    if (served.back() == number) return std::move(version);
  }
  return absl::NotFoundError(absl::StrCat("Request for unknown model: '", model, "' version ", number,
                                          " is not found, served: ", absl::StrJoin(served, ", ")));
}

}  // namespace

std::vector<SharedVersion> VersionLabels::all() const {
  std::vector<SharedVersion> versions;
  if (stable != nullptr) versions.push_back(stable);
  if (canary != nullptr) versions.push_back(canary);
  return versions;
}

absl::Status SameContract(const model::NetworkDescription& contract, const model::NetworkDescription& other) {
  if (other.name != contract.name) return Differs("name", other.name, contract.name);
  if (other.input.name != contract.input.name || other.input.shape != contract.input.shape) {
    return Differs("input", ShapeText(other.input), ShapeText(contract.input));
  }
  if (other.output.name != contract.output.name || other.output.shape != contract.output.shape) {
    return Differs("output", ShapeText(other.output), ShapeText(contract.output));
  }
  if (FloatText(other) != FloatText(contract)) return Differs("float input", FloatText(other), FloatText(contract));
  return absl::OkStatus();
}

VersionLabels ServedVersions::labels() const {
  absl::MutexLock lock(&mutex_);
  return labels_;
}

VersionLabels ServedVersions::Set(VersionLabels labels) {
  absl::MutexLock lock(&mutex_);
  std::swap(labels_, labels);
  return labels;
}

absl::StatusOr<SharedVersion> ServedVersions::Choose(absl::string_view model, absl::string_view version,
                                                     absl::string_view id) {
  if (!version.empty() || model != model_) return Find(model, version);
  absl::MutexLock lock(&mutex_);
  if (labels_.canary == nullptr) {
    if (labels_.stable != nullptr) return labels_.stable;
    return absl::NotFoundError(absl::StrCat("Request for unknown model: '", model_, "' has no available versions"));
  }
  if (id.empty()) return InTurn(without_id_++);
  // The hash alone is not even in its low bits for ids that count up.
  const uint64_t draw = MixSeed(Fnv1a(std::string_view(id.data(), id.size())), 0) % kAllBasisPoints;
  return draw < static_cast<uint64_t>(labels_.canary_share_bp) ? labels_.canary : labels_.stable;
}

const SharedVersion& ServedVersions::InTurn(uint64_t n) const {
  // Every time the accumulated share passes a whole request, that request is the canary's.
  const auto share = static_cast<uint64_t>(labels_.canary_share_bp);
  return (n + 1) * share / kAllBasisPoints > n * share / kAllBasisPoints ? labels_.canary : labels_.stable;
}

absl::StatusOr<SharedVersion> ServedVersions::Find(absl::string_view model, absl::string_view version) const {
  if (model != model_) {
    return absl::NotFoundError(absl::StrCat("Request for unknown model: ", ShownText(model), " is not found"));
  }
  const VersionLabels labels = this->labels();
  if (labels.stable == nullptr) {
    return absl::NotFoundError(absl::StrCat("Request for unknown model: '", model_, "' has no available versions"));
  }
  return version.empty() ? labels.stable : Named(model_, version, labels);
}

std::optional<ServedVersions::EarlyRefusal> ServedVersions::RefuseEarly(MonoTime deadline) {
  const VersionLabels labels = this->labels();
  std::optional<EarlyRefusal> soonest;
  // The canary first: it refuses less often, and a version that does not refuse ends the search.
  for (const SharedVersion* version : {&labels.canary, &labels.stable}) {
    if (*version == nullptr) continue;
    scheduler::Scheduler& scheduler = (*version)->scheduler();
    const std::optional<Duration> retry_after = scheduler.WouldRefuse(deadline);
    if (!retry_after.has_value()) return std::nullopt;
    if (!soonest.has_value() || *retry_after < soonest->retry_after) {
      soonest = {.retry_after = *retry_after, .reason = scheduler.early_reason()};
    }
  }
  if (soonest.has_value()) CallRefused();
  return soonest;
}

void ServedVersions::CallRefused() {
  absl::MutexLock lock(&mutex_);
  if (labels_.stable == nullptr) return;
  (labels_.canary == nullptr ? labels_.stable : InTurn(refused_++))->scheduler().CallRefused();
}

bool ServedVersions::RefusesSomeEarly() const {
  const VersionLabels labels = this->labels();
  return (labels.stable != nullptr && labels.stable->scheduler().RefusesSomeEarly()) ||
         (labels.canary != nullptr && labels.canary->scheduler().RefusesSomeEarly());
}

}  // namespace anybit::server
