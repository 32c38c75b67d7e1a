#include "server/profile_finder.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/processor_model.h"
#include "model/engine/kernel_chooser.h"
#include "server/profiler.h"

namespace anybit::server {
namespace {

// What measuring may take at the start. The default network needs four seconds to choose on a core with AVX-512; a
// layer that is left to a guess may take four times as long for one row. Less is used where less is needed.
constexpr Duration kChoosingBudget = std::chrono::seconds(4);
constexpr Duration kProfilingBudget = std::chrono::seconds(2);

// `profile` for this network and batch size: points in the network's order, accuracies from the network.
absl::StatusOr<scheduler::Profile> FitProfile(const scheduler::Profile& profile,
                                              const model::NetworkDescription& network, int max_batch) {
  if (profile.max_batch < max_batch) {
    return absl::InvalidArgumentError(absl::StrCat("the profile has batches of up to ", profile.max_batch,
                                                   " rows, fewer than --max_batch ", max_batch));
  }
  scheduler::Profile fitted{.max_batch = max_batch};
  for (const model::OperatingPoint& point : network.points) {
    const auto found = std::find_if(profile.points.begin(), profile.points.end(),
                                    [&](const scheduler::PointInfo& info) { return info.name == point.name; });
    if (found == profile.points.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the profile has no operating point ", point.name));
    }
    const auto& latency = profile.latency[found - profile.points.begin()];
    fitted.points.push_back({.name = point.name, .accuracy = point.accuracy});
    fitted.latency.emplace_back(latency.begin(), latency.begin() + max_batch);
    if (profile.rested.empty()) continue;
    const auto& rested = profile.rested[found - profile.points.begin()];
    fitted.rested.emplace_back(rested.begin(), rested.begin() + max_batch);
  }
  return fitted;
}

// Chooses for batches of up to `max_batch` rows.
void MeasureChoices(model::KernelChooser& chooser, const scheduler::EventLoop& loop, int max_batch,
                    const std::stop_token& stop) {
  chooser.MeasureChoices(
      max_batch, kChoosingBudget, [&loop] { return loop.Now().time_since_epoch(); }, stop);
}

// `measured`'s kernels where it has any; otherwise measures.
absl::Status FitChoices(const MeasuredProfile& measured, model::KernelChooser& chooser,
                        const scheduler::EventLoop& loop, int max_batch, const std::stop_token& stop) {
  if (measured.kernels.has_value()) return chooser.SetChoices(*measured.kernels);
  MeasureChoices(chooser, loop, max_batch, stop);
  return absl::OkStatus();
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("profile ", path, ": ", status.message()));
}

ProfileFingerprint FingerprintOf(model::AdaptiveNetwork& network, const ServerOptions& options) {
  const model::NetworkDescription& description = network.description();
  ProfileFingerprint fingerprint{.processor = ProcessorModel(), .threads_per_slot = options.threads_per_slot};
  if (!description.checksum.empty()) {
    fingerprint.network =
        absl::StrCat(description.name, " version ", description.version, ", checksum ", description.checksum);
  }
  if (model::KernelChooser* chooser = network.kernel_chooser(); chooser != nullptr)
    fingerprint.isa = chooser->choices().isa;
  return fingerprint;
}

class Finder {
 public:
  Finder(model::AdaptiveNetwork& network, const scheduler::EventLoop& loop, const ServerOptions& options,
         const Pause& pause, const std::stop_token& stop)
      : network_(network),
        loop_(loop),
        options_(options),
        pause_(pause),
        stop_(stop),
        chooser_(network.kernel_chooser()),
        fingerprint_(FingerprintOf(network, options)),
        is_cache_(!options.profile.empty() && options.profile == options.save_profile) {}

  absl::StatusOr<FoundProfile> Find() {
    if (options_.profile.empty()) return Measure("");
    const absl::StatusOr<MeasuredProfile> stored = ReadProfile(options_.profile);
    if (!stored.ok()) return Unusable(stored.status());
    std::string note;
    if (stored->fingerprint.has_value()) {
      if (const std::string other = NetworkDifference(*stored->fingerprint, fingerprint_); !other.empty()) {
        return Unusable(InFile(options_.profile, absl::InvalidArgumentError(other)));
      }
      if (const std::string other = MachineDifference(*stored->fingerprint, fingerprint_); !other.empty()) {
        return Measure(absl::StrCat("profile ", options_.profile, ": ", other));
      }
    } else if (is_cache_) {
      return Measure(absl::StrCat("profile ", options_.profile, ": it has no fingerprint"));
    } else {
      note = absl::StrCat("profile ", options_.profile,
                          " has no fingerprint: whether it is of this network and machine is not known");
    }
    if (chooser_ != nullptr && stored->kernels.has_value() && stored->kernels->isa != fingerprint_.isa) {
      return Measure(absl::StrCat("profile ", options_.profile, ": its kernels are for ", stored->kernels->isa,
                                  ", these are ", fingerprint_.isa));
    }
    absl::StatusOr<scheduler::Profile> fitted =
        FitProfile(stored->latencies, network_.description(), options_.max_batch);
    if (!fitted.ok()) return Unusable(InFile(options_.profile, fitted.status()));
    if (chooser_ != nullptr) {
      if (absl::Status status = FitChoices(*stored, *chooser_, loop_, options_.max_batch, stop_); !status.ok()) {
        return Unusable(InFile(options_.profile, status));
      }
      // What packs weights for its kernels packs them now: a first request must not wait for it.
      if (absl::Status status = RunEachPointOnce(network_, loop_, stop_); !status.ok()) return status;
    }
    FoundProfile found{.profile = Complete(*std::move(fitted)), .note = std::move(note)};
    // Of a profile that nobody can vouch for, a copy would look as if it were of this machine.
    found.profile.fingerprint = stored->fingerprint;
    if (options_.save_profile.empty() || is_cache_) return found;
    if (absl::Status status = WriteProfile(found.profile, options_.save_profile); !status.ok()) return status;
    return found;
  }

 private:
  absl::StatusOr<FoundProfile> Unusable(const absl::Status& why) {
    if (is_cache_) return Measure(std::string(why.message()));
    return why;
  }

  absl::StatusOr<FoundProfile> Measure(const std::string& why) {
    if (!options_.save_profile.empty()) {
      if (absl::Status status = CanWriteProfile(options_.save_profile); !status.ok()) return status;
    }
    if (chooser_ != nullptr) MeasureChoices(*chooser_, loop_, options_.max_batch, stop_);
    absl::StatusOr<scheduler::Profile> measured = MeasureProfile(
        network_, loop_, {.max_batch = options_.max_batch, .budget = kProfilingBudget, .pause = pause_, .stop = stop_});
    if (!measured.ok()) return measured.status();
    FoundProfile found{.profile = Complete(*std::move(measured)),
                       .note = why.empty() ? "" : absl::StrCat(why, "; measured anew")};
    if (!options_.save_profile.empty()) {
      if (absl::Status status = WriteProfile(found.profile, options_.save_profile); !status.ok()) return status;
    }
    return found;
  }

  MeasuredProfile Complete(scheduler::Profile latencies) const {
    MeasuredProfile complete{.latencies = std::move(latencies), .fingerprint = fingerprint_};
    if (chooser_ != nullptr) complete.kernels = chooser_->choices();
    return complete;
  }

  model::AdaptiveNetwork& network_;
  const scheduler::EventLoop& loop_;
  const ServerOptions& options_;
  const Pause& pause_;
  const std::stop_token& stop_;
  model::KernelChooser* const chooser_;
  const ProfileFingerprint fingerprint_;
  const bool is_cache_;
};

}  // namespace

absl::StatusOr<FoundProfile> FindProfile(model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
                                         const ServerOptions& options, const Pause& pause,
                                         const std::stop_token& stop) {
  return Finder(network, loop, options, pause, stop).Find();
}

}  // namespace anybit::server
