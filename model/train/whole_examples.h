// The check of a task's examples before its first step: a file that cannot be read must not be found by the last one.
#ifndef ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_
#define ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "model/train/processes/process_group.h"
#include "model/train/task.h"

namespace anybit {

// Reads every example once, each process of `group` (null: this one alone) its share, and takes the damaged ones out of
// the task, the same in all processes. Errors are those of DropDamaged, with at most `limit` of both splits, of
// CheckClassesRemain for the training rows, and of the group. `device` is where the group's tensors are; `log` hears of
// each.
absl::Status KeepWholeExamples(Task& task, int64_t limit, ProcessGroup* group, const std::string& device,
                               std::ostream& log);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_
