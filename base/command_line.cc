#include "base/command_line.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace anybit {
namespace {

using Flags = std::map<std::string, absl::CommandLineFlag*>;

constexpr size_t kColumns = 100;
constexpr absl::string_view kIndent = "      ";

// A name that differs in more letters was hardly meant.
constexpr size_t kMaxHintDistance = 3;

// `text` in lines of at most kColumns, each indented.
std::string Wrapped(absl::string_view text) {
  std::string lines, line;
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!line.empty() && kIndent.size() + line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, kIndent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  return absl::StrCat(lines, kIndent, line, "\n");
}

Flags FlagsOfFile(const ProgramDescription& program) {
  Flags flags;
  if (program.flags_file.empty()) return flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), program.flags_file)) flags.emplace(name, flag);
  }
  return flags;
}

Flags FlagsOf(const ProgramDescription& program) {
  Flags flags = FlagsOfFile(program);
  for (const FlagSection& section : program.sections) {
    for (const std::string& name : section.flags) {
      absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
      if (flag != nullptr) flags.emplace(name, flag);
    }
  }
  return flags;
}

void AppendHelp(const absl::CommandLineFlag& flag, std::string& text) {
  const std::string value = flag.DefaultValue();
  const bool shown = !value.empty() && !flag.IsOfType<bool>();
  const bool is_on = flag.IsOfType<bool>() && value == "true";
  absl::StrAppend(&text, "  --", is_on ? "[no]" : "", flag.Name(), shown ? absl::StrCat("=", value) : "", "\n",
                  Wrapped(flag.Help()));
}

// "usage: " and a line for each form.
std::string Forms(const ProgramDescription& program) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(program.usage, '\n')) {
    absl::StrAppend(&text, text.empty() ? "usage: " : "       ", line, "\n");
  }
  return text;
}

std::string Help(const ProgramDescription& program) {
  std::string text = Forms(program) + "\n";
  if (!program.about.empty()) absl::StrAppend(&text, program.about, "\n\n");
  for (const FlagSection& section : program.sections) {
    if (!section.title.empty()) absl::StrAppend(&text, section.title, ":\n");
    for (const std::string& name : section.flags) {
      if (const auto* flag = absl::FindCommandLineFlag(name); flag != nullptr) AppendHelp(*flag, text);
    }
  }
  for (const auto& [name, flag] : FlagsOfFile(program)) AppendHelp(*flag, text);
  absl::StrAppend(&text, "  -h, --help\n", kIndent, "this text\n");
  if (!program.version.empty()) absl::StrAppend(&text, "  --version\n", kIndent, "the version of this program\n");
  if (!program.footer.empty()) absl::StrAppend(&text, program.footer, "\n");
  return text;
}

// Levenshtein's distance: letters to insert, remove or change.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

absl::Status UnknownFlag(const Flags& flags, absl::string_view name) {
  absl::string_view nearest;
  size_t least = kMaxHintDistance;
  for (const auto& [known, flag] : flags) {
    const size_t distance = EditDistance(known, name);
    if (distance < std::min(least, name.size())) {
      least = distance;
      nearest = known;
    }
  }
  const std::string hint = nearest.empty() ? "--help lists all" : absl::StrCat("did you mean --", nearest, "?");
  return absl::InvalidArgumentError(absl::StrCat("unknown flag --", name, "; ", hint));
}

// What values the flag takes, where Abseil's error does not say so.
absl::string_view ValuesOf(const absl::CommandLineFlag& flag) {
  if (flag.IsOfType<bool>()) return "true or false";
  if (flag.IsOfType<double>() || flag.IsOfType<float>() || flag.IsOfType<std::optional<double>>()) return "a number";
  if (flag.IsOfType<uint32_t>() || flag.IsOfType<uint64_t>()) return "a whole number from 0 on";
  if (flag.IsOfType<int32_t>() || flag.IsOfType<int64_t>() || flag.IsOfType<std::optional<int64_t>>()) {
    return "a whole number";
  }
  if (flag.IsOfType<absl::Duration>()) return "a duration, such as 40ms";
  return "another value";
}

absl::Status Set(absl::CommandLineFlag& flag, const std::string& value) {
  std::string error;
  if (flag.ParseFrom(value, &error)) return absl::OkStatus();
  // Abseil's "Illegal value '0' specified for flag 'slots'", with "; " and the reason of the flag's own type behind it.
  const std::string prefix = absl::StrCat("Illegal value '", value, "' specified for flag '", flag.Name(), "'");
  absl::string_view reason = error;
  if (absl::ConsumePrefix(&reason, prefix)) absl::ConsumePrefix(&reason, "; ");
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag.Name(), " takes ", reason.empty() ? ValuesOf(flag) : reason, ", not '", value, "'"));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const ProgramDescription& program,
                                             std::span<const std::string> arguments) {
  const Flags flags = FlagsOf(program);
  CommandLine line;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (argument == "--") {
      line.words.insert(line.words.end(), arguments.begin() + static_cast<ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (argument.size() < 2 || !absl::ConsumePrefix(&argument, "-")) {
      line.words.push_back(arguments[i]);
      continue;
    }
    absl::ConsumePrefix(&argument, "-");
    const size_t equals = std::min(argument.find('='), argument.size());
    const std::string name = absl::StrReplaceAll(argument.substr(0, equals), {{"-", "_"}});
    std::optional<std::string> value;
    if (equals < argument.size()) value = std::string(argument.substr(equals + 1));

    const auto found = flags.find(name);
    if (found != flags.end()) {
      absl::CommandLineFlag& flag = *found->second;
      if (!value && flag.IsOfType<bool>()) value = "true";
      if (!value && i + 1 < arguments.size()) value = arguments[++i];
      if (!value) return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
      if (absl::Status status = Set(flag, *value); !status.ok()) return status;
      line.set.push_back(name);
      continue;
    }
    if (name == "help" || name == "h") {
      line.answer = Help(program);
      return line;
    }
    if (name == "version" && !program.version.empty()) {
      line.answer = absl::StrCat(program.version, "\n");
      return line;
    }
    const auto negated = absl::StartsWith(name, "no") ? flags.find(name.substr(2)) : flags.end();
    if (negated == flags.end() || !negated->second->IsOfType<bool>()) return UnknownFlag(flags, name);
    if (value) return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
    if (absl::Status status = Set(*negated->second, "false"); !status.ok()) return status;
    line.set.push_back(negated->first);
  }
  return line;
}

bool HasFlag(const ProgramDescription& program, absl::string_view name) {
  return FlagsOf(program).contains(std::string(name));
}

void ResetFlags(const ProgramDescription& program) {
  for (const FlagSection& section : program.sections) {
    for (const std::string& name : section.flags) {
      absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
      std::string error;
      if (flag != nullptr && flag->ParseFrom(flag->DefaultValue(), &error)) continue;
      std::fprintf(stderr, "--%s of a program's section is not defined or has no valid default\n", name.c_str());
      std::abort();  // a mistake in the program, found by its first run
    }
  }
}

std::string UsageOf(const ProgramDescription& program) { return Forms(program) + "       --help explains the flags\n"; }

std::vector<std::string> ArgumentsOf(int argc, const char* const* argv) {
  return {argv + std::min(argc, 1), argv + argc};
}

absl::Status ExpectNoWords(const CommandLine& line) {
  if (line.words.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("unexpected argument '", line.words[0], "'; flags are written --name=value"));
}

}  // namespace anybit
