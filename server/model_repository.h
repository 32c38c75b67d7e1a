// Loads and unloads versions of the network while others serve, one change after the other, on a thread of its own.
//
// A load reads and checks an artifact, measures its kernels and latencies, and only then gives it its label in one
// step: calls in flight end on the version they began with, new ones get the new version. Whatever goes wrong before
// leaves everything as it was. A version that nobody uses any more is ended here, too.
//
//   RepositoryModelLoad, parameters: `artifact` (a file in the folder of --artifact; that file by default), `label`
//   ("stable" by default, or "canary" with `share_bp`, its share of requests without a version in basis points).
//   RepositoryModelUnload: everything, or with the parameter `label` = "canary" that version only.
#ifndef ANYBIT_SERVER_MODEL_REPOSITORY_H_
#define ANYBIT_SERVER_MODEL_REPOSITORY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "model/engine/adaptive_network.h"
#include "proto/inference.pb.h"
#include "server/admin_log.h"
#include "server/load_parameters.h"
#include "server/served_versions.h"
#include "server/serving_state.h"

namespace anybit::server {

// Reads and checks the artifact in this file.
using LoadNetworkFrom = std::function<absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>>(const std::string& path)>;

// Any thread.
class ModelRepository {
 public:
  // What it works with; all that is referred to outlives it.
  struct Parts {
    ServedVersions& versions;
    const SharedServingState& state;
    AdminLog& log;
    std::string artifact;     // the one that was served first
    bool is_allowed = false;  // to load and unload by call
    LoadNetworkFrom load;     // null: nothing can be loaded by call
    // Measures the network and makes what serves it; takes seconds, unless it is told to stop.
    std::function<absl::StatusOr<std::unique_ptr<ServedVersion>>(std::unique_ptr<model::AdaptiveNetwork>,
                                                                 const std::stop_token& stop)>
        start;
    // ResourceExhausted if an artifact of so many bytes cannot be served besides what is.
    std::function<absl::Status(int64_t bytes)> has_memory;
    std::function<void()> changed;  // the versions: what is ready may be another
    std::function<void()> ended;    // a version: its memory is free; may be null
  };
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  explicit ModelRepository(Parts parts);
  ~ModelRepository();  // after Stop

  // Serves the first version.
  void Begin(std::unique_ptr<ServedVersion> version);

  // `done` is called once, on this thread or the repository's. PermissionDenied unless it is allowed; InvalidArgument,
  // NotFound or ResourceExhausted for what cannot be loaded; Unavailable while the server stops.
  void Load(const inference::RepositoryModelLoadRequest& request, Done done);
  void Unload(const inference::RepositoryModelUnloadRequest& request, Done done);

  // Every version with its state, and what is being loaded or could not be.
  inference::RepositoryIndexResponse Index(bool only_ready) const;

  // Refuses changes from now on. A load that runs gives up, and ends as Unavailable.
  void Drain();

  // Serves nothing any more and waits until every version has ended, which is when its last request has.
  void Stop();

 private:
  struct Failure {
    std::string version;  // "" where it is not known
    std::string reason;
  };
  using Work = absl::AnyInvocable<absl::Status()>;
  struct Job {
    Work work;
    Done done;
  };

  // `what` the work does, in a message.
  void Submit(const char* what, const std::string& model, Work work, Done done);
  void Run();
  absl::Status Do(Work& work);
  absl::Status OutOf(const char* what);
  absl::Status LoadNow(const LoadParameters& wanted);
  absl::StatusOr<SharedVersion> Prepare(const std::string& path);
  absl::Status UnloadNow(bool canary_only);
  // An error if another network of this version is served or unloading.
  absl::Status CheckVersion(const model::NetworkDescription& network) const;
  absl::Status Give(SharedVersion version, const LoadParameters& wanted);
  // Unavailable, and nothing changes, while the server stops.
  absl::Status Set(VersionLabels labels);
  SharedVersion Adopt(std::unique_ptr<ServedVersion> version);
  void Retire(ServedVersion* version);
  void NoteLoading(std::optional<std::string> file, std::optional<Failure> failure);

  const Parts parts_;
  std::optional<model::NetworkDescription> contract_;  // once Begin has run
  std::stop_source loads_;                             // Drain stops them; any thread

  mutable absl::Mutex mutex_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<const ServedVersion*, int64_t> living_ ABSL_GUARDED_BY(mutex_);  // versions that have not ended
  std::vector<std::unique_ptr<ServedVersion>> unused_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::string> loading_ ABSL_GUARDED_BY(mutex_);  // name of the file
  std::optional<Failure> failure_ ABSL_GUARDED_BY(mutex_);      // of the last load
  bool is_draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MODEL_REPOSITORY_H_
