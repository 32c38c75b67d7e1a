// What a processor's ladder of operating points looks like: whether each point pays.
#ifndef ANYBIT_SERVER_LADDER_NOTE_H_
#define ANYBIT_SERVER_LADDER_NOTE_H_

#include <string>

#include "scheduler/latency/profile.h"

namespace anybit::server {

// One line: that each point is at least as fast as the one before it at every batch size, up to what measurements
// scatter, or which are not. `profile` is valid.
std::string LadderNote(const scheduler::Profile& profile);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_LADDER_NOTE_H_
