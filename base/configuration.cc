#include "base/configuration.h"

#include <unistd.h>

#include <cstddef>
#include <map>
#include <utility>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"

namespace anybit {
namespace {

constexpr absl::string_view kPrefix = "ANYBIT_";
constexpr absl::string_view kFileFlag = "flagfile";

using Origins = std::map<std::string, std::string>;  // by flag

std::string ValueOf(absl::string_view flag) {
  const absl::CommandLineFlag* found = absl::FindCommandLineFlag(flag);
  return found == nullptr ? "" : found->CurrentValue();
}

absl::Status Apply(const ProgramDescription& program, std::span<const std::string> arguments, const std::string& origin,
                   Origins& origins) {
  absl::StatusOr<CommandLine> line = ParseCommandLine(program, arguments);
  if (!line.ok()) return absl::Status(line.status().code(), absl::StrCat(origin, ": ", line.status().message()));
  for (const std::string& flag : line->set) origins[flag] = origin;
  return absl::OkStatus();
}

absl::Status ApplyFile(const ProgramDescription& program, const std::string& path, Origins& origins) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  int number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    absl::ConsumePrefix(&line, "--");
    const std::string origin = absl::StrCat(path, " line ", number);
    const absl::string_view name = line.substr(0, line.find('='));
    if (name == kFileFlag || name == "help" || name == "version") {
      return absl::InvalidArgumentError(absl::StrCat(origin, ": --", name, " belongs on the command line"));
    }
    const std::string argument = absl::StrCat("--", line);
    if (absl::Status status = Apply(program, {&argument, 1}, origin, origins); !status.ok()) return status;
  }
  return absl::OkStatus();
}

struct Variables {
  std::map<std::string, std::string> values;  // by flag
  std::vector<std::string> ignored;
};

Variables VariablesOf(const ProgramDescription& program, std::span<const std::string> environment) {
  Variables variables;
  for (const std::string& item : environment) {
    absl::string_view name = absl::string_view(item).substr(0, item.find('='));
    if (!absl::ConsumePrefix(&name, kPrefix) || item.find('=') == std::string::npos) continue;
    const std::string flag = absl::AsciiStrToLower(name);
    if (HasFlag(program, flag)) {
      variables.values.emplace(flag, item.substr(item.find('=') + 1));
    } else {
      variables.ignored.push_back(absl::StrCat(kPrefix, name));
    }
  }
  return variables;
}

}  // namespace

absl::StatusOr<Configuration> ParseConfiguration(const ProgramDescription& program,
                                                 std::span<const std::string> arguments,
                                                 std::span<const std::string> environment) {
  Configuration configuration;
  absl::StatusOr<CommandLine> line = ParseCommandLine(program, arguments);
  if (!line.ok()) return line.status();
  configuration.line = *std::move(line);
  if (!configuration.line.answer.empty()) return configuration;

  Variables variables = VariablesOf(program, environment);
  configuration.ignored = std::move(variables.ignored);
  std::string file = ValueOf(kFileFlag);
  if (const auto named = variables.values.find(std::string(kFileFlag));
      file.empty() && named != variables.values.end()) {
    file = named->second;
  }
  Origins origins;
  if (!file.empty()) {
    if (absl::Status status = ApplyFile(program, file, origins); !status.ok()) return status;
  }
  for (const auto& [flag, value] : variables.values) {
    const std::string argument = absl::StrCat("--", flag, "=", value);
    const std::string origin = absl::StrCat("environment ", kPrefix, absl::AsciiStrToUpper(flag));
    if (absl::Status status = Apply(program, {&argument, 1}, origin, origins); !status.ok()) return status;
  }
  // Again, because it outranks the others; it was valid before.
  if (absl::Status status = Apply(program, arguments, "command line", origins); !status.ok()) return status;
  for (const auto& [flag, origin] : origins) {
    configuration.settings.push_back({.flag = flag, .value = ValueOf(flag), .origin = origin});
  }
  return configuration;
}

std::string Describe(const Configuration& configuration) {
  std::string text;
  for (const Setting& setting : configuration.settings) {
    absl::StrAppend(&text, "  --", setting.flag, "=", setting.value, " (", setting.origin, ")\n");
  }
  for (const std::string& name : configuration.ignored) {
    absl::StrAppend(&text, "  ", name, " in the environment is ignored: no such flag\n");
  }
  return text;
}

std::vector<std::string> Environment() {
  std::vector<std::string> items;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) items.emplace_back(*item);
  return items;
}

}  // namespace anybit
