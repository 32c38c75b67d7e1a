// The place of this process in its group, as set by its launcher: torchrun, Kubeflow's PyTorchJob, or a user by hand.
//
// All launchers set environment variables. Only main reads the environment, so the variables are an argument here.
#ifndef ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_
#define ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace anybit::model::train {

struct Launch {
  int rank = 0;                       // of this process, 0..size-1
  int size = 1;                       // processes in the group
  int local_rank = 0;                 // among the processes of its machine: the number of its GPU
  std::string address = "localhost";  // host of the rendezvous store
  int port = 0;                       // TCP port of the store; 0: the serving process chooses a free port
  bool serves_store = true;           // this process serves the store: rank 0, unless the launcher does
  std::string prefix;                 // of keys in the store, which the launcher's attempts share

  bool alone() const { return size == 1; }
};

// Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, and TORCHELASTIC_USE_AGENT_STORE and
// TORCHELASTIC_RESTART_COUNT of torchrun, which serves the store itself. `variable` returns the value of a name, or ""
// where it is not set. The process is alone if neither RANK nor WORLD_SIZE is set. InvalidArgument, with variable and
// value, if they do not fit together.
absl::StatusOr<Launch> ParseLaunch(const std::function<std::string(const char*)>& variable);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_PROCESSES_LAUNCH_H_
