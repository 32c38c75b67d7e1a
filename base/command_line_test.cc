#include "base/command_line.h"

#include <optional>
#include <ratio>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "base/flag_types.h"

using Count = anybit::WholeNumber<1, 100>;
using Ratio = anybit::RealNumber<std::ratio<1, 2>, std::ratio<3600>>;

ABSL_FLAG(std::string, server, "here", "where the server is");
ABSL_FLAG(std::optional<Count>, first, std::nullopt, "only so many");
ABSL_FLAG(Ratio, step_seconds, 10, "of a step");
ABSL_FLAG(absl::Duration, delay, absl::Seconds(1), "before it begins");
ABSL_FLAG(bool, json, false, "one object a line");
ABSL_FLAG(bool, bound, true,
          "with the bound, in words enough that they do not fit into a single line of the help of a program, at all");
ABSL_FLAG(std::string, foreign, "", "a flag of another library");

namespace anybit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ProgramDescription Program() {
  return {.usage = "program run FILE...\nprogram stop",
          .about = "Does it.",
          .sections = {{.title = "", .flags = {"server", "first"}},
                       {.title = "how", .flags = {"step_seconds", "delay", "json", "bound"}}},
          .footer = "exit status: 0 or 2",
          .version = "program 1"};
}

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override { ResetFlags(Program()); }
  absl::StatusOr<CommandLine> Parse(std::vector<std::string> arguments) {
    return ParseCommandLine(Program(), arguments);
  }
  std::string AnswerTo(std::vector<std::string> arguments) {
    const absl::StatusOr<CommandLine> line = Parse(std::move(arguments));
    return line.ok() ? line->answer : line.status().ToString();
  }
  std::string ErrorOf(std::vector<std::string> arguments) {
    return std::string(Parse(std::move(arguments)).status().message());
  }
};

TEST_F(CommandLineTest, SetsTheFlagsAndKeepsTheWordsInOrder) {
  EXPECT_THAT(Parse({"classify", "--first", "7", "a.png", "--step_seconds=2.5", "--json", "-server=there"})->words,
              ElementsAre("classify", "a.png"));
  EXPECT_EQ(absl::GetFlag(FLAGS_first).value_or(0), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_step_seconds), 2.5);
  EXPECT_TRUE(absl::GetFlag(FLAGS_json));
  EXPECT_EQ(absl::GetFlag(FLAGS_server), "there");
  EXPECT_EQ(absl::GetFlag(FLAGS_delay), absl::Seconds(1));
}

TEST_F(CommandLineTest, AResetGivesTheDefaultsBack) {
  ASSERT_TRUE(Parse({"--first=7", "--json", "--nobound", "--server=there", "--delay=2s", "--step_seconds=4"}).ok());
  ResetFlags(Program());
  EXPECT_FALSE(absl::GetFlag(FLAGS_first).has_value());
  EXPECT_FALSE(absl::GetFlag(FLAGS_json));
  EXPECT_TRUE(absl::GetFlag(FLAGS_bound));
  EXPECT_EQ(absl::GetFlag(FLAGS_server), "here");
  EXPECT_EQ(absl::GetFlag(FLAGS_delay), absl::Seconds(1));
  EXPECT_EQ(absl::GetFlag(FLAGS_step_seconds), 10);
}

TEST_F(CommandLineTest, TakesADashInANameForAnUnderscore) {
  ASSERT_TRUE(Parse({"--step-seconds", "4"}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_step_seconds), 4);
}

TEST_F(CommandLineTest, TakesSwitchesInEachForm) {
  ASSERT_TRUE(Parse({"--json=true", "--nobound"}).ok());
  EXPECT_TRUE(absl::GetFlag(FLAGS_json));
  EXPECT_FALSE(absl::GetFlag(FLAGS_bound));
  ASSERT_TRUE(Parse({"--bound", "--nojson"}).ok());
  EXPECT_TRUE(absl::GetFlag(FLAGS_bound));
  EXPECT_FALSE(absl::GetFlag(FLAGS_json));
}

TEST_F(CommandLineTest, TakesWhatFollowsTwoDashesAsWords) {
  EXPECT_THAT(Parse({"--json", "--", "--first", "-"})->words, ElementsAre("--first", "-"));
  EXPECT_THAT(Parse({"-"})->words, ElementsAre("-"));
}

TEST_F(CommandLineTest, AnErrorNamesTheFlagTheValueAndTheLimits) {
  EXPECT_EQ(ErrorOf({"--firts", "7"}), "unknown flag --firts; did you mean --first?");
  EXPECT_EQ(ErrorOf({"--quite_different"}), "unknown flag --quite_different; --help lists all");
  EXPECT_EQ(ErrorOf({"--foreign=1"}), "unknown flag --foreign; --help lists all");
  EXPECT_EQ(ErrorOf({"--first"}), "--first needs a value");
  EXPECT_EQ(ErrorOf({"--json=maybe"}), "--json takes true or false, not 'maybe'");
  EXPECT_EQ(ErrorOf({"--nojson=true"}), "--nojson takes no value");
  EXPECT_EQ(ErrorOf({"--delay", "40"}), "--delay takes a duration, such as 40ms, not '40'");
  for (const std::string value : {"0", "101", "7x", "1.5"}) {
    EXPECT_EQ(ErrorOf({"--first", value}), "--first takes a whole number from 1 to 100, not '" + value + "'");
  }
  for (const std::string value : {"0.4", "nan", "inf", ""}) {
    EXPECT_EQ(ErrorOf({"--step_seconds", value}),
              "--step_seconds takes a number from 0.5 to 3600, not '" + value + "'");
  }
}

TEST_F(CommandLineTest, HelpHasTheFormsTheSectionsAndTheDefaults) {
  for (const char* word : {"-h", "--help", "-help"}) {
    const std::string help = AnswerTo({"--first=3", word});
    EXPECT_THAT(help, HasSubstr("usage: program run FILE...\n       program stop\n\nDoes it.\n\n  --server=here\n"));
    EXPECT_THAT(help, HasSubstr("  --first\n      only so many\nhow:\n  --step_seconds=10\n"));
    EXPECT_THAT(help, HasSubstr("  --[no]bound\n"));
    EXPECT_THAT(help, HasSubstr("exit status: 0 or 2\n"));
    EXPECT_THAT(help, Not(HasSubstr("foreign")));
  }
  EXPECT_EQ(AnswerTo({"--version"}), "program 1\n");
  EXPECT_THAT(AnswerTo({"help"}), IsEmpty());
}

TEST_F(CommandLineTest, TheUsageIsTheFormsAlone) {
  EXPECT_EQ(UsageOf(Program()), "usage: program run FILE...\n       program stop\n       --help explains the flags\n");
}

TEST_F(CommandLineTest, LinesOfHelpFitTheScreen) {
  std::string line;
  for (const char c : AnswerTo({"-h"})) {
    if (c == '\n') {
      line.clear();
    } else {
      line += c;
    }
    EXPECT_LE(line.size(), 100u) << line;
  }
}

TEST_F(CommandLineTest, AProgramMayTakeAllFlagsOfAFile) {
  const std::vector<std::string> arguments = {"--foreign=1"};
  EXPECT_TRUE(ParseCommandLine({.usage = "program", .flags_file = "command_line_test.cc"}, arguments).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_foreign), "1");
  EXPECT_EQ(ParseCommandLine({.usage = "program", .flags_file = "other.cc"}, arguments).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CommandLineTest, NamesTheFirstWordThatIsNotExpected) {
  EXPECT_TRUE(ExpectNoWords(*Parse({"--json"})).ok());
  EXPECT_EQ(ExpectNoWords(*Parse({"extra", "more"})).message(),
            "unexpected argument 'extra'; flags are written --name=value");
}

}  // namespace
}  // namespace anybit
