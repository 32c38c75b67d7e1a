#include "base/hash.h"

#include <string_view>

#include <gtest/gtest.h>

namespace anybit {
namespace {

// Test vectors of the draft.
TEST(Fnv1a, GivesThePublishedValues) {
  EXPECT_EQ(Fnv1a(""), 0xcbf29ce484222325);
  EXPECT_EQ(Fnv1a("a"), 0xaf63dc4c8601ec8c);
  EXPECT_EQ(Fnv1a("foobar"), 0x85944171f73967e8);
}

TEST(Fnv1a, GoesOnWhereItEndedAndTakesWordsFromTheirLowestByte) {
  EXPECT_EQ(Fnv1a("bar", Fnv1a("foo")), Fnv1a("foobar"));
  EXPECT_EQ(Fnv1aOfWord(0x8000000000000261), Fnv1a(std::string_view("a\x02\0\0\0\0\0\x80", 8)));
}

}  // namespace
}  // namespace anybit
