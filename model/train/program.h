// The command line and the ending that all programs of this folder share.
#ifndef ANYBIT_MODEL_TRAIN_PROGRAM_H_
#define ANYBIT_MODEL_TRAIN_PROGRAM_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/command_line.h"

namespace anybit::model::train {

struct Program {
  std::string name;        // "anybit-train"
  std::string usage;       // "anybit-train [--FLAG=VALUE...]: its purpose", then more lines
  std::string flags_file;  // end of the path of the source file that defines the flags
};

// Sets the flags and returns the rest of the command line. Ends the process with 0 after -h, --help or --version, and
// with 2 after a wrong flag, which it names on standard error.
CommandLine ParseFlags(int argc, char** argv, const Program& program);

// The exit status of a program: 0, or 1 after "NAME: MESSAGE" on standard error.
int ExitStatus(absl::string_view name, const absl::Status& status);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_PROGRAM_H_
