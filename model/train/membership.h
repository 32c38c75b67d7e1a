// The membership of this process in a group that a launcher started to train one network.
#ifndef ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_
#define ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/processes/launch.h"
#include "model/train/processes/process_group.h"

namespace anybit::model::train {

struct Membership {
  Launch launch;
  std::string device;                                    // of this process: each process has its own GPU
  std::unique_ptr<ProcessGroup::Rendezvous> rendezvous;  // null: this process alone
  std::unique_ptr<ProcessGroup> group;                   // null: this process alone
};

// Joins the group that the environment variables describe, if any. `device` is the value of --device. The errors of
// ParseLaunch and ProcessGroup.
absl::StatusOr<Membership> JoinGroup(const std::string& device);

// Waits for the other processes, so that all end alike. `own` is the status of this process, OK or Cancelled. If a
// signal stopped the first process, all are Cancelled and have its number in `stop`. A process that failed does not
// call this; to the others it is gone, and their status is Unavailable.
absl::Status EndTogether(const Membership& membership, const absl::Status& own, std::atomic<int>& stop);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_MEMBERSHIP_H_
