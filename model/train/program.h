// The command line and the ending that all programs of this folder share.
#ifndef ANYBIT_MODEL_TRAIN_PROGRAM_H_
#define ANYBIT_MODEL_TRAIN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anybit::model::train {

struct Program {
  std::string name;        // "anybit-train"
  std::string usage;       // "anybit-train [--FLAG=VALUE...]: its purpose", then more lines
  std::string flags_file;  // end of the path of the source file that defines the flags
  std::string word;        // "run's JSON file": the program takes one or more; empty: it takes flags only
};

// Sets the flags and returns the words of the command line. Ends the process with 0 after -h, --help or --version, and
// with EndForUsage after a wrong flag, an unexpected word or a missing one.
std::vector<std::string> ParseFlags(int argc, char** argv, const Program& program);

// Ends the process with 2, after "NAME: MESSAGE" on standard error: the command line is wrong.
[[noreturn]] void EndForUsage(const Program& program, const absl::Status& status);

// The exit status of a program: 0, or 1 after "NAME: MESSAGE" on standard error.
int ExitStatus(const Program& program, const absl::Status& status);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_PROGRAM_H_
