// The command that goes on with an interrupted run, to be pasted into a shell.
#ifndef ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_
#define ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace anybit {

// `word` as a POSIX shell reads it: in quotes unless it needs none.
std::string ShellQuoted(absl::string_view word);

// The words of a command, quoted, with --resume behind them unless it is the last word about that.
std::string ResumeCommand(const std::vector<std::string>& words);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_RESUME_COMMAND_H_
