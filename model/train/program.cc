#include "model/train/program.h"

#include <cstdlib>
#include <iostream>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/commit.h"
#include "base/version.h"

namespace anybit::model::train {

CommandLine ParseFlags(int argc, char** argv, const Program& program) {
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine({.usage = program.usage,
                        .flags_file = program.flags_file,
                        .version = absl::StrCat(program.name, " ", kVersion, "\ncommit ", kCommit)},
                       ArgumentsOf(argc, argv));
  if (!line.ok()) {
    std::cerr << program.name << ": " << line.status().message() << "\n";
    std::exit(2);
  }
  if (line->answer.empty()) return *line;
  std::cout << line->answer << std::flush;
  std::exit(EXIT_SUCCESS);
}

int ExitStatus(absl::string_view name, const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << name << ": " << status.message() << "\n";
  return 1;
}

}  // namespace anybit::model::train
