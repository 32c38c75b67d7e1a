#include "model/train/program.h"

#include <cstdlib>
#include <iostream>
#include <optional>

#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "base/commit.h"
#include "base/program_flags.h"
#include "base/version.h"

namespace anybit {

void AnswerHelp(int argc, char** argv, const Program& program) {
  const std::optional<std::string> answer =
      HelpOrVersion(argc, argv,
                    {.usage = program.usage,
                     .version = absl::StrCat(program.name, " ", kVersion, "\ncommit ", kCommit),
                     .file = program.flags_file});
  if (!answer.has_value()) return;
  std::cout << *answer << std::flush;
  std::exit(EXIT_SUCCESS);
}

std::vector<std::string> ParseFlags(int argc, char** argv) {
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  return {rest.begin() + 1, rest.end()};
}

absl::Status ExpectNone(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("unexpected argument '", arguments[0], "'; flags are written --name=value"));
}

int ExitStatus(absl::string_view name, const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << name << ": " << status.message() << "\n";
  return 1;
}

}  // namespace anybit
