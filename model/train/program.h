// What the programs of this folder share: their flags, --help, and how they end.
#ifndef ANYBIT_MODEL_TRAIN_PROGRAM_H_
#define ANYBIT_MODEL_TRAIN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace anybit {

// Parses the flags and returns the other arguments. --help, which ends the program, shows `usage` and the flags of the
// source file whose path ends with `source`; abseil by itself would look for a file that is named like the program.
std::vector<std::string> ParseFlags(int argc, char** argv, absl::string_view source, const std::string& usage);

// InvalidArgument that names the first of `arguments`, of a program that takes flags only.
absl::Status ExpectNone(const std::vector<std::string>& arguments);

// What main returns: 0, or 1 after "NAME: MESSAGE" on standard error.
int ExitStatus(absl::string_view name, const absl::Status& status);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_PROGRAM_H_
