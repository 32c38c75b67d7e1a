// Groups of real processes on this machine, for tests. A test is process 0 and starts its own program again for the
// others; each of these runs the function named on its command line.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_TEAM_H_
#define ANYBIT_MODEL_TRAIN_TESTING_TEAM_H_

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/train/processes/launch.h"
#include "model/train/processes/process_group.h"

namespace anybit::model::train {

inline constexpr std::chrono::seconds kTeamTimeout(60);  // after which a hanging test fails

// Another process of the group; the destructor kills it unless it has been waited for.
class Peer {
 public:
  Peer(const std::string& worker, const Launch& launch);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  // The exit status; -1 where a signal ended it.
  int Wait();

 private:
  pid_t id_ = -1;
};

// The group of this test and its workers.
struct Team {
  std::unique_ptr<ProcessGroup::Rendezvous> rendezvous;
  std::vector<std::unique_ptr<Peer>> peers;
  std::unique_ptr<ProcessGroup> group;
};

// A Gloo group of this process and `size - 1` others, which run `worker`.
Team MakeTeam(const std::string& worker, int size);

// The functions of other processes, by name.
using Workers = std::map<std::string, std::function<void(ProcessGroup&)>>;

// main of such a test: runs all its tests or, in a process that MakeTeam started, one of `workers`. Returns 1 where an
// expectation failed.
int RunTeamTests(int argc, char** argv, const Workers& workers);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_TEAM_H_
