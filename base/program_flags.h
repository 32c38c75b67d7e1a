// Help and version of a program whose flags are Abseil's, as people expect them: short, on stdout, exit code 0.
#ifndef ANYBIT_BASE_PROGRAM_FLAGS_H_
#define ANYBIT_BASE_PROGRAM_FLAGS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace anybit {

struct ProgramFlags {
  std::string usage;    // "anybit-server --artifact=FILE: what it does"
  std::string version;  // a line or more
  std::string file;     // end of the path of the source file that defines the program's own flags
};

// The text to print where the words ask for help (-h, --help) or the version (--version); none where they do not.
// Before Abseil parses the words, which would print all flags there are and exit with 1.
std::optional<std::string> HelpOrVersion(int argc, const char* const* argv, const ProgramFlags& program);

}  // namespace anybit

#endif  // ANYBIT_BASE_PROGRAM_FLAGS_H_
