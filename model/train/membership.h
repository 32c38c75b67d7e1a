// This process among those that a launcher has started to train one network together.
#ifndef ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_
#define ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/processes/launch.h"
#include "model/train/processes/process_group.h"

namespace anybit {

struct Membership {
  Launch launch;
  std::string device;                                    // of this process: each has a GPU of its own
  std::unique_ptr<ProcessGroup::Rendezvous> rendezvous;  // null: this process alone
  std::unique_ptr<ProcessGroup> group;                   // likewise
};

// Joins the group that the environment names, if any; `device` is what the user asked for.
absl::StatusOr<Membership> JoinGroup(const std::string& device);

// Waits for the others, so that all processes end alike: where the first one was stopped by a signal, all are Cancelled
// and find its number in `stop`. `own` is how this process ended, OK or Cancelled; one that failed does not come here,
// and the others hear of it as of a process that is gone.
absl::Status EndTogether(const Membership& membership, const absl::Status& own, std::atomic<int>& stop);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_
