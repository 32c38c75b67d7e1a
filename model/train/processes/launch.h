// Which process of a group this one is, as its launcher said: torchrun, Kubeflow's PyTorchJob, or a user by hand.
//
// All of them say it in environment variables. Nothing below main reads those, so they come as values.
#ifndef ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_
#define ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace anybit {

struct Launch {
  int rank = 0;                       // of this process, 0..size-1
  int size = 1;                       // processes in the group
  int local_rank = 0;                 // among those of its machine: which GPU it takes
  std::string address = "localhost";  // where the store of the rendezvous is
  int port = 0;                       // its TCP port; 0: the serving process chooses one
  bool serves_store = true;           // this process serves the store: rank 0, unless the launcher does
  std::string prefix;                 // of keys in the store: the launcher's attempts share one

  bool alone() const { return size == 1; }
};

// From RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, and from torchrun's TORCHELASTIC_USE_AGENT_STORE
// and TORCHELASTIC_RESTART_COUNT (it serves the store itself). `variable` gives the value of a name, or "" where it
// is not set. A process alone if neither RANK nor WORLD_SIZE is set; InvalidArgument, naming variable and value, if
// they do not fit together.
absl::StatusOr<Launch> ParseLaunch(const std::function<std::string(const char*)>& variable);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_
