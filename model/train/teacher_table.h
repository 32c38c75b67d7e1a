// The teachers that training runs chose, as a table in Markdown.
#ifndef ANYBIT_MODEL_TRAIN_TEACHER_TABLE_H_
#define ANYBIT_MODEL_TRAIN_TEACHER_TABLE_H_

#include <span>
#include <string>

#include "model/train/run_file.h"

namespace anybit::model::train {

// A row per recipe and taught point, a column per teaching point: the share of the student's steps in percent, over all
// runs of the recipe. Empty where no run was taught.
std::string TeacherTable(std::span<const TrainingRun> runs);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TEACHER_TABLE_H_
