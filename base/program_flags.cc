#include "base/program_flags.h"

#include <map>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace anybit {
namespace {

constexpr size_t kColumns = 100;
constexpr absl::string_view kIndent = "      ";

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

std::string Help(const ProgramFlags& program) {
  std::string text = absl::StrCat("usage: ", program.usage, "\n\n");
  std::map<absl::string_view, absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), program.file)) flags.emplace(name, flag);
  }
  for (const auto& [name, flag] : flags) {
    const std::string value = flag->DefaultValue();
    absl::StrAppend(&text, "  --", name, value.empty() ? "" : absl::StrCat("=", value), "\n", Wrapped(flag->Help()));
  }
  return absl::StrCat(text, "  -h, --help\n", kIndent, "this text\n  --version\n", kIndent, "what was built\n");
}

}  // namespace

std::optional<std::string> HelpOrVersion(int argc, const char* const* argv, const ProgramFlags& program) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view word = argv[i];
    if (word == "--") break;
    if (word == "-h" || word == "-help" || word == "--help") return Help(program);
    if (word == "-version" || word == "--version") return absl::StrCat(program.version, "\n");
  }
  return std::nullopt;
}

}  // namespace anybit
