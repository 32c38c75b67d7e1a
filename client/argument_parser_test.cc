#include "client/argument_parser.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ArgumentParserTest : public ::testing::Test {
 protected:
  ArgumentParserTest() {
    parser_.AddSwitch("json", &json_);
    parser_.AddText("server", &server_);
    parser_.AddInteger("first", 1, 100, &first_);
    parser_.AddReal("deadline-ms", 0.5, 1000, &deadline_);
  }

  absl::StatusOr<std::vector<std::string>> Parse(std::vector<std::string> arguments) {
    return parser_.Parse(arguments);
  }

  ArgumentParser parser_;
  bool json_ = false;
  std::string server_ = "default";
  std::optional<int64_t> first_;
  std::optional<double> deadline_;
};

TEST_F(ArgumentParserTest, SetsWhatIsGivenInEitherFormAndKeepsTheRest) {
  EXPECT_THAT(Parse({"classify", "--first", "7", "a.png", "--deadline-ms=2.5", "--json"}).value(),
              ElementsAre("classify", "a.png"));
  EXPECT_TRUE(json_);
  EXPECT_EQ(first_, 7);
  EXPECT_EQ(deadline_, 2.5);
  EXPECT_EQ(server_, "default");
}

TEST_F(ArgumentParserTest, TakesWhatFollowsTwoDashesAsItStands) {
  EXPECT_THAT(Parse({"--json", "--", "--first"}).value(), ElementsAre("--first"));
}

TEST_F(ArgumentParserTest, RefusesWhatItDoesNotKnowNamingIt) {
  EXPECT_THAT(Parse({"--firts", "7"}).status().message(), HasSubstr("unknown option --firts"));
  EXPECT_THAT(Parse({"--first"}).status().message(), HasSubstr("--first needs a value"));
  EXPECT_THAT(Parse({"--json=yes"}).status().message(), HasSubstr("--json takes no value"));
}

TEST_F(ArgumentParserTest, RefusesNumbersOutOfRangeAndWhatIsNoNumber) {
  for (const std::string value : {"0", "101", "x", "", "1.5", "99999999999999999999"}) {
    EXPECT_THAT(Parse({"--first", value}).status().message(), HasSubstr("from 1 to 100, not '" + value + "'"));
  }
  for (const std::string value : {"0.4", "nan", "inf", ""}) EXPECT_FALSE(Parse({"--deadline-ms", value}).ok()) << value;
  EXPECT_EQ(first_, std::nullopt);
}

}  // namespace
}  // namespace anybit
