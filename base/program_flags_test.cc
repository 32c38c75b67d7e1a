#include "base/program_flags.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/flag.h"

ABSL_FLAG(int, speed_of_the_test, 7,
          "how fast, in words enough that they do not fit into a single line of the help of a program, whatever it is");

namespace anybit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::optional<std::string> Ask(std::vector<const char*> words) {
  words.insert(words.begin(), "program");
  return HelpOrVersion(static_cast<int>(words.size()), words.data(),
                       {.usage = "program: does it", .version = "program 1", .file = "program_flags_test.cc"});
}

TEST(ProgramFlagsTest, HelpListsTheProgramsOwnFlagsWithTheirDefaults) {
  for (const char* word : {"-h", "--help", "-help"}) {
    const std::string help = Ask({"--speed_of_the_test=3", word}).value_or("");
    EXPECT_THAT(help, HasSubstr("usage: program: does it\n"));
    EXPECT_THAT(help, HasSubstr("  --speed_of_the_test=7\n      how fast, in words"));
    EXPECT_THAT(help, Not(HasSubstr("flagfile")));
  }
}

TEST(ProgramFlagsTest, LinesFitTheScreen) {
  std::string line;
  for (const char c : Ask({"-h"}).value_or("")) {
    line = c == '\n' ? "" : line + c;
    EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST(ProgramFlagsTest, TheVersionIsThePrograms) { EXPECT_EQ(Ask({"--version"}), "program 1\n"); }

TEST(ProgramFlagsTest, OtherWordsAreNoQuestion) {
  EXPECT_EQ(Ask({}), std::nullopt);
  EXPECT_EQ(Ask({"--speed_of_the_test=1", "help"}), std::nullopt);
  EXPECT_EQ(Ask({"--", "--help"}), std::nullopt);
}

}  // namespace
}  // namespace anybit
