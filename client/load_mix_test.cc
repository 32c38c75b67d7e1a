#include "client/load_mix.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

const InferOptions kBase = {.deadline = milliseconds(40), .sla_class = "standard", .tenant = "web"};

TEST(ParseMix, IsOneKindWithoutANameWhereNothingIsMixed) {
  const absl::StatusOr<std::vector<RequestKind>> kinds = ParseMix("", kBase);
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  ASSERT_EQ(kinds->size(), 1u);
  EXPECT_EQ(kinds->front().name, "");
  EXPECT_EQ(kinds->front().request.sla_class, "standard");
}

TEST(ParseMix, ReadsClassTenantDeadlineAndWeight) {
  const absl::StatusOr<std::vector<RequestKind>> kinds = ParseMix("interactive/search@12.5:3,batch,/other:0.5", kBase);
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  ASSERT_EQ(kinds->size(), 3u);
  EXPECT_EQ((*kinds)[0].name, "interactive/search@12.5");
  EXPECT_EQ((*kinds)[0].request.sla_class, "interactive");
  EXPECT_EQ((*kinds)[0].request.tenant, "search");
  EXPECT_EQ((*kinds)[0].request.deadline, std::chrono::microseconds(12'500));
  EXPECT_EQ((*kinds)[0].weight, 3);
  EXPECT_EQ((*kinds)[1].request.sla_class, "batch");
  EXPECT_EQ((*kinds)[1].request.tenant, "web");
  EXPECT_EQ((*kinds)[1].request.deadline, milliseconds(40));
  EXPECT_EQ((*kinds)[1].weight, 1);
  EXPECT_EQ((*kinds)[2].request.sla_class, "standard");
  EXPECT_EQ((*kinds)[2].request.tenant, "other");
}

TEST(ParseMix, RefusesAPartThatCannotBeMeantAndNamesIt) {
  for (const auto& [text, reason] : {std::pair("gold:0", "has the weight '0', not a positive number"),
                                     {"gold:many", "has the weight 'many'"},
                                     {"gold@-1", "has the deadline '-1', not 0 to"},
                                     {"gold@", "has the deadline ''"},
                                     {"gold,,silver", "'' in 'gold,,silver' names neither"},
                                     {"gold:1,gold:2", "'gold:2' in 'gold:1,gold:2' comes twice"}}) {
    EXPECT_THAT(std::string(ParseMix(text, kBase).status().message()), HasSubstr(reason));
  }
}

}  // namespace
}  // namespace anybit::client
