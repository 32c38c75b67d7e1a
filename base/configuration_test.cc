#include "base/configuration.h"

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"

ABSL_FLAG(int32_t, slots, 1, "lanes");
ABSL_FLAG(int32_t, max_queue, 100, "requests that may wait");
ABSL_FLAG(bool, pin, true, "stay");
ABSL_FLAG(std::string, classes, "", "names");
ABSL_FLAG(std::string, flagfile, "", "file of flags");

namespace anybit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ProgramDescription Program() {
  return {.usage = "program",
          .sections = {{.title = "", .flags = {"slots", "max_queue", "pin", "classes", "flagfile"}}},
          .version = "program 1"};
}

class ConfigurationTest : public ::testing::Test {
 protected:
  void SetUp() override { ResetFlags(Program()); }

  // The path of a file with this text.
  std::string File(const std::string& text) {
    std::string path = ::testing::TempDir() + "/configuration_test.flags";
    std::ofstream(path) << text;
    return path;
  }
  absl::StatusOr<Configuration> Parse(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    return ParseConfiguration(Program(), arguments, environment);
  }
  std::string ErrorOf(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    ResetFlags(Program());
    return std::string(Parse(std::move(arguments), std::move(environment)).status().message());
  }
};

TEST_F(ConfigurationTest, TheCommandLineOutranksTheEnvironmentWhichOutranksTheFile) {
  const std::string file = File("slots=2\nmax_queue=2\nclasses=two\n");
  const auto configuration =
      Parse({"--slots=4", "--flagfile=" + file}, {"ANYBIT_SLOTS=3", "ANYBIT_MAX_QUEUE=3", "HOME=/"});
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(absl::GetFlag(FLAGS_slots), 4);
  EXPECT_EQ(absl::GetFlag(FLAGS_max_queue), 3);
  EXPECT_EQ(absl::GetFlag(FLAGS_classes), "two");
  EXPECT_THAT(configuration->settings,
              ElementsAre(Setting{.flag = "classes", .value = "two", .origin = file + " line 3"},
                          Setting{.flag = "flagfile", .value = file, .origin = "command line"},
                          Setting{.flag = "max_queue", .value = "3", .origin = "environment ANYBIT_MAX_QUEUE"},
                          Setting{.flag = "slots", .value = "4", .origin = "command line"}));
}

TEST_F(ConfigurationTest, TheFileHasCommentsBlankLinesAndFlagsWithOrWithoutDashes) {
  const std::string file = File("# the queue\n\n  --max_queue=7  \nclasses=a=1, b\r\nnopin\n");
  const auto configuration = Parse({}, {"ANYBIT_FLAGFILE=" + file});
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(absl::GetFlag(FLAGS_max_queue), 7);
  EXPECT_EQ(absl::GetFlag(FLAGS_classes), "a=1, b");
  EXPECT_FALSE(absl::GetFlag(FLAGS_pin));
}

TEST_F(ConfigurationTest, MistakesAreNamedWithTheirOrigin) {
  const std::string file = File("max_queue=7\nslotz=2\n");
  EXPECT_EQ(ErrorOf({"--flagfile", file}), file + " line 2: unknown flag --slotz; did you mean --slots?");
  EXPECT_EQ(ErrorOf({}, {"ANYBIT_SLOTS=many"}), "environment ANYBIT_SLOTS: --slots takes a whole number, not 'many'");
  EXPECT_EQ(ErrorOf({"--slots=many"}), "--slots takes a whole number, not 'many'");
  EXPECT_THAT(ErrorOf({"--flagfile=/nonexistent"}), HasSubstr("/nonexistent"));
  EXPECT_THAT(ErrorOf({"--flagfile", File("flagfile=other\n")}),
              HasSubstr("line 1: --flagfile belongs on the command line"));
}

TEST_F(ConfigurationTest, AVariableThatIsNoFlagIsIgnoredAndNamed) {
  const auto configuration = Parse({}, {"ANYBIT_SLOTZ=2", "ANYBIT_SERVICE_HOST=10.0.0.1", "SLOTS=9"});
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_THAT(configuration->settings, IsEmpty());
  EXPECT_THAT(configuration->ignored, ElementsAre("ANYBIT_SLOTZ", "ANYBIT_SERVICE_HOST"));
  EXPECT_EQ(absl::GetFlag(FLAGS_slots), 1);
  EXPECT_THAT(Describe(*configuration), HasSubstr("ANYBIT_SLOTZ in the environment is ignored"));
}

TEST_F(ConfigurationTest, AnswersDoNotReadTheOtherSources) {
  const auto configuration = Parse({"--version"}, {"ANYBIT_SLOTS=many"});
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->line.answer, "program 1\n");
}

TEST_F(ConfigurationTest, TheDescriptionHasALineForEachValueAndItsOrigin) {
  const auto configuration = Parse({"--nopin"}, {"ANYBIT_MAX_QUEUE=5"});
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(Describe(*configuration), "  --max_queue=5 (environment ANYBIT_MAX_QUEUE)\n  --pin=false (command line)\n");
}

TEST(EnvironmentTest, HasTheVariablesOfThisProcess) {
  EXPECT_THAT(Environment(), ::testing::Contains(HasSubstr("PATH=")));
}

}  // namespace
}  // namespace anybit
