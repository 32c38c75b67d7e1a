// Which versions of the network are served, and which one a request gets.
//
// There are at most two: the stable one and a canary, which gets a share of the requests that name no version. Both
// have the same name, tensors, SLA classes, tenants and largest batch (SameContract), so a request can be read and
// limited before its version is known, and a new version can take the place of another while calls run.
#ifndef ANYBIT_SERVER_SERVED_VERSIONS_H_
#define ANYBIT_SERVER_SERVED_VERSIONS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "server/served_model.h"
#include "server/served_version.h"

namespace anybit::server {

using SharedVersion = std::shared_ptr<ServedVersion>;

// What the names of versions stand for. Values, so that a change is one assignment.
struct VersionLabels {
  SharedVersion stable;     // null: nothing is served
  SharedVersion canary;     // null: there is none; not without stable
  int canary_share_bp = 0;  // of requests that name no version, 0..10000

  // Those that are there, stable first.
  std::vector<SharedVersion> all() const;
};

inline constexpr absl::string_view kStableLabel = "stable";
inline constexpr absl::string_view kCanaryLabel = "canary";

// InvalidArgument, naming both values, unless a request for the model of `contract` is one for `other`, too.
absl::Status SameContract(const model::NetworkDescription& contract, const model::NetworkDescription& other);

// Any thread.
class ServedVersions {
 public:
  // Nothing is served yet. `model`: its name.
  explicit ServedVersions(std::string model) : model_(std::move(model)) {}

  VersionLabels labels() const;

  // Returns what was served before: whoever lets go of a version last ends it.
  VersionLabels Set(VersionLabels labels);

  // The version for a request of this model and version: a number, "stable", "canary", or "" to choose by share. The
  // same id always gets the same one, requests without an id get them in turn; both keep the share. NotFound if the
  // model or version is not served; InvalidArgument if the version is neither a number nor a label.
  absl::StatusOr<SharedVersion> Choose(absl::string_view model, absl::string_view version, absl::string_view id);

  // Likewise for a description: "" is the stable one.
  absl::StatusOr<SharedVersion> Find(absl::string_view model, absl::string_view version) const;

  struct EarlyRefusal {
    Duration retry_after{};
    scheduler::ShedReason reason{};
  };
  // If every version would refuse any request with this deadline (Scheduler::WouldRefuse). The caller then refuses the
  // call, which counts as for CallRefused.
  std::optional<EarlyRefusal> RefuseEarly(MonoTime deadline);

  // A call with a deadline was refused unread (Scheduler::CallRefused). It counts for the version whose turn it is.
  void CallRefused();

  // Whether a version may refuse anything early now (Scheduler::RefusesSomeEarly).
  bool RefusesSomeEarly() const;

 private:
  // Of stable and canary the one for the `n`-th of those that are shared out in turn. There must be a canary.
  const SharedVersion& InTurn(uint64_t n) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string model_;
  mutable absl::Mutex mutex_;
  VersionLabels labels_ ABSL_GUARDED_BY(mutex_);
  // Shared out in turn: requests, and calls that were refused. Counted together, refusals could decide who serves.
  uint64_t without_id_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVED_VERSIONS_H_
