// The parameters of RepositoryModelLoad and RepositoryModelUnload: pure functions.
#ifndef ANYBIT_SERVER_LOAD_PARAMETERS_H_
#define ANYBIT_SERVER_LOAD_PARAMETERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"

namespace anybit::server {

struct LoadParameters {
  std::string file;  // in the folder of the served artifact; "" for that artifact
  bool is_canary = false;
  int share_bp = 0;  // of a canary, 1..10000
};

inline constexpr int kDefaultCanaryShareBp = 500;

// InvalidArgument, naming the parameter, for one that is not known, has a wrong type or a wrong value. Triton's
// `config` and `file:...` are refused: artifacts come from the server's own disk.
absl::StatusOr<LoadParameters> ReadLoadParameters(const inference::RepositoryModelLoadRequest& request);

// Whether only the canary is to be unloaded. `unload_dependents` changes nothing: no model depends on another.
absl::StatusOr<bool> ReadUnloadsCanaryOnly(const inference::RepositoryModelUnloadRequest& request);

// The path of `file` beside `artifact`, links followed. InvalidArgument for a name with a folder in it or a link out of
// the artifact's folder, NotFound if there is no such file. Messages name no folder.
absl::StatusOr<std::string> FindArtifact(const std::string& artifact, const std::string& file);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LOAD_PARAMETERS_H_
