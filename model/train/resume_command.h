// The shell command that resumes an interrupted run.
#ifndef ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_
#define ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace anybit::model::train {

// `word` for a POSIX shell, in quotes if it needs them.
std::string ShellQuoted(absl::string_view word);

// The quoted words of a command, followed by --resume unless their last flag about resuming already says so.
std::string ResumeCommand(const std::vector<std::string>& words);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_
