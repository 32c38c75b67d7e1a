#include "model/train/config_file.h"

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

const std::vector<std::string> kKnown = {"recipe", "seed"};

std::string Error(const char* text) { return std::string(ParseConfig(text, kKnown, "run.cfg").status().message()); }

TEST(ParseConfig, ReadsKeysAndValuesWithBlanksAndComments) {
  const std::vector<ConfigEntry> entries = *ParseConfig(
      "# a run\n\n  recipe = coquant,teacher=next  # the value has an = of its own\r\nseed=3", kKnown, "run.cfg");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].key, "recipe");
  EXPECT_EQ(entries[0].value, "coquant,teacher=next");
  EXPECT_EQ(entries[0].line, 3);
  EXPECT_EQ(entries[1].value, "3");
  EXPECT_TRUE(ParseConfig("", kKnown, "run.cfg")->empty());
  EXPECT_EQ((*ParseConfig("recipe =", kKnown, "run.cfg"))[0].value, "");
}

TEST(ParseConfig, NamesTheLineThatIsWrong) {
  EXPECT_EQ(Error("seed = 1\nrecpie = coquant"), "run.cfg:2: unknown key 'recpie'; known: recipe, seed");
  EXPECT_EQ(Error("seed 1"), "run.cfg:1: 'seed 1' is not key = value");
  EXPECT_EQ(Error("seed = 1\n\nseed = 2"), "run.cfg:3: 'seed' is already set in line 1");
}

}  // namespace
}  // namespace anybit::model::train
