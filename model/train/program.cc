#include "model/train/program.h"

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/commit.h"
#include "base/version.h"

namespace anybit::model::train {

std::vector<std::string> ParseFlags(int argc, char** argv, const Program& program) {
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine({.usage = program.usage,
                        .flags_file = program.flags_file,
                        .version = absl::StrCat(program.name, " ", kVersion, "\ncommit ", kCommit)},
                       ArgumentsOf(argc, argv));
  if (!line.ok()) EndForUsage(program, line.status());
  if (!line->answer.empty()) {
    std::cout << line->answer << std::flush;
    std::exit(EXIT_SUCCESS);
  }
  if (program.word.empty()) {
    if (const absl::Status status = ExpectNoWords(*line); !status.ok()) EndForUsage(program, status);
  } else if (line->words.empty()) {
    EndForUsage(program, absl::InvalidArgumentError(absl::StrCat("name at least one ", program.word)));
  }
  return line->words;
}

void EndForUsage(const Program& program, const absl::Status& status) {
  std::cerr << program.name << ": " << status.message() << "\n";
  std::exit(2);
}

int ExitStatus(const Program& program, const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << program.name << ": " << status.message() << "\n";
  return 1;
}

}  // namespace anybit::model::train
