// The check of all examples before the first step, so that no damaged file ends a run after hours.
#ifndef ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_
#define ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "model/train/processes/process_group.h"
#include "model/train/task.h"

namespace anybit::model::train {

// Reads every example once, each process of `group` (null: this process alone) its share, and removes damaged ones from
// the task, the same in all processes. At most `limit` rows of both splits may be damaged; they are listed in `log`.
// `device` is that of the group's tensors. The errors of DropDamaged, of CheckClassesRemain for the training rows, and
// of the group.
absl::Status KeepWholeExamples(Task& task, int64_t limit, ProcessGroup* group, const std::string& device,
                               std::ostream& log);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_WHOLE_EXAMPLES_H_
