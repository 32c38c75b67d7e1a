#include "model/train/resume_command.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace anybit::model::train {

std::string ShellQuoted(absl::string_view word) {
  constexpr absl::string_view kPlain = "_@%+=:,./-";
  const auto plain = [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kPlain.find(c) != kPlain.npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

std::string ResumeCommand(const std::vector<std::string>& words) {
  std::string command;
  bool resumes = false;
  for (size_t i = 0; i < words.size(); ++i) {
    absl::StrAppend(&command, i == 0 ? "" : " ", ShellQuoted(words[i]));
    absl::string_view flag = words[i];
    if (!absl::ConsumePrefix(&flag, "--") && !absl::ConsumePrefix(&flag, "-")) continue;
    if (flag == "resume" || flag == "resume=true") resumes = true;
    if (flag == "noresume" || (absl::ConsumePrefix(&flag, "resume=") && flag != "true")) resumes = false;
  }
  return resumes ? command : command + " --resume";
}

}  // namespace anybit::model::train
