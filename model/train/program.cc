#include "model/train/program.h"

#include <iostream>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace anybit {

std::vector<std::string> ParseFlags(int argc, char** argv, absl::string_view source, const std::string& usage) {
  absl::FlagsUsageConfig config;
  config.contains_help_flags = [end = std::string(source)](absl::string_view file) {
    return absl::EndsWith(file, end);
  };
  absl::SetFlagsUsageConfig(config);
  absl::SetProgramUsageMessage(usage);
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
