// One dialect of command line for every program: Abseil's flags, positional arguments, --help in sections, exit code 2.
//
//   ABSL_FLAG(std::string, server, "127.0.0.1:8001", "HOST:PORT");
//   absl::StatusOr<Options> ParseOptions(std::span<const std::string> arguments) {
//     ResetFlags(kProgram);  // flags are global, and a test parses often
//     absl::StatusOr<CommandLine> line = ParseCommandLine(kProgram, arguments);
//     if (!line.ok()) return line.status();
//     return Options{.server = absl::GetFlag(FLAGS_server), .files = line->words};
//   }
//
// --name=value, --name value, --switch, --noswitch; a "-" inside a name reads as "_"; "--" ends the flags. It parses
// itself because absl::ParseCommandLine ends the process, with 1, at the first mistake.
#ifndef ANYBIT_BASE_COMMAND_LINE_H_
#define ANYBIT_BASE_COMMAND_LINE_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace anybit {

struct FlagSection {
  std::string title;               // "the trace", or empty
  std::vector<std::string> flags;  // in the order of --help
};

struct ProgramDescription {
  std::string usage;                  // "anybit-client [FLAG...] status": a line for each form
  std::string about;                  // a paragraph below it, or empty
  std::vector<FlagSection> sections;  // the flags that the program takes
  std::string flags_file;             // end of a source file's path: it takes all flags defined there too
  std::string footer;                 // such as the exit codes
  std::string version;                // for --version, or empty
};

struct CommandLine {
  std::vector<std::string> words;  // arguments that are no flags, in order
  std::vector<std::string> set;    // names of the flags that were set, in order
  std::string answer;  // the text that -h, --help or --version asks for: to be printed, and the program ends with 0
};

// Sets the flags. InvalidArgument, with the flag's name and the value, for an unknown flag, a missing or wrong value;
// flags before it stay set.
absl::StatusOr<CommandLine> ParseCommandLine(const ProgramDescription& program, std::span<const std::string> arguments);

// Whether the program takes a flag of this name.
bool HasFlag(const ProgramDescription& program, absl::string_view name);

// Gives the flags of the sections their defaults. absl::FlagSaver would restore them too, with a line on standard error
// for each.
void ResetFlags(const ProgramDescription& program);

// The forms of the command line, for an error message: "usage: ..." and how to ask for more.
std::string UsageOf(const ProgramDescription& program);

// The arguments of main, without the program's name.
std::vector<std::string> ArgumentsOf(int argc, const char* const* argv);

// InvalidArgument that names the first word, for a program that takes flags only.
absl::Status ExpectNoWords(const CommandLine& line);

}  // namespace anybit

#endif  // ANYBIT_BASE_COMMAND_LINE_H_
