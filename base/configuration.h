// A program's flags from a file, the environment and the command line, and where each value came from.
//
//   absl::StatusOr<Configuration> configuration = ParseConfiguration(kProgram, ArgumentsOf(argc, argv), Environment());
//   if (configuration.ok()) std::cout << Describe(*configuration);   // "  --slots=4 (environment ANYBIT_SLOTS)"
//
// The command line outranks the environment, which outranks the file, which outranks the defaults. The program has a
// flag "flagfile" that names the file.
#ifndef ANYBIT_BASE_CONFIGURATION_H_
#define ANYBIT_BASE_CONFIGURATION_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/command_line.h"

namespace anybit {

struct Setting {
  std::string flag;
  std::string value;
  std::string origin;  // "command line", "environment ANYBIT_SLOTS", "server.flags line 3"

  friend bool operator==(const Setting&, const Setting&) = default;
};

struct Configuration {
  CommandLine line;
  std::vector<Setting> settings;     // of the flags that a source sets, by name
  std::vector<std::string> ignored;  // variables of the environment that look like a flag and are none
};

// Sets the flags. `environment` has "NAME=VALUE" items, of which ANYBIT_MAX_QUEUE=5 means --max_queue=5. The file has
// one flag a line, as max_queue=5 or --max_queue=5, blank lines, and comments that begin with #. Where the command line
// asks for an answer (--help), nothing else is read. InvalidArgument as ParseCommandLine, with the origin before it;
// the error of the file system if the file cannot be read.
absl::StatusOr<Configuration> ParseConfiguration(const ProgramDescription& program,
                                                 std::span<const std::string> arguments,
                                                 std::span<const std::string> environment);

// A line for each setting and for each ignored variable.
std::string Describe(const Configuration& configuration);

// The environment of this process.
std::vector<std::string> Environment();

}  // namespace anybit

#endif  // ANYBIT_BASE_CONFIGURATION_H_
