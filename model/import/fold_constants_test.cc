#include "model/import/fold_constants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/import/resolve_shapes.h"

namespace anybit::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Constant Integers(const std::vector<int64_t>& values) {
  return {.shape = {static_cast<int64_t>(values.size())}, .integer = true, .integers = values};
}

GraphNode Node(const std::string& op, const std::map<std::string, Attribute>& attributes = {}) {
  return {.name = "n", .op = op, .outputs = {"y"}, .attributes = attributes};
}

std::vector<int64_t> Fold(const GraphNode& node, const std::vector<Constant>& inputs) {
  std::vector<const Constant*> pointers;
  for (const Constant& input : inputs) pointers.push_back(&input);
  const absl::StatusOr<Constant> folded = FoldNode(node, pointers, 13);
  EXPECT_TRUE(folded.ok()) << folded.status();
  return folded.ok() ? folded->integers : std::vector<int64_t>{};
}

std::string Error(const GraphNode& node, const std::vector<Constant>& inputs) {
  std::vector<const Constant*> pointers;
  for (const Constant& input : inputs) pointers.push_back(&input);
  return std::string(FoldNode(node, pointers, 13).status().message());
}

TEST(FoldNode, GathersSlicesAndConcatenates) {
  EXPECT_THAT(Fold(Node("Gather"), {Integers({5, 6, 7}), Integers({-1, 0})}), ElementsAre(7, 5));
  EXPECT_THAT(Fold(Node("Slice"), {Integers({1, 2, 3, 4}), Integers({1}), Integers({INT64_MAX})}),
              ElementsAre(2, 3, 4));
  EXPECT_THAT(Fold(Node("Slice"),
                   {Integers({1, 2, 3, 4}), Integers({-1}), Integers({INT64_MIN}), Integers({0}), Integers({-2})}),
              ElementsAre(4, 2));
  EXPECT_THAT(Fold(Node("Concat"), {Integers({1, 2}), Integers({3})}), ElementsAre(1, 2, 3));
}

TEST(FoldNode, TransposesAndBroadcasts) {
  Constant matrix = Integers({1, 2, 3, 4, 5, 6});
  matrix.shape = {2, 3};
  EXPECT_THAT(Fold(Node("Transpose"), {matrix}), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(Fold(Node("Add"), {matrix, Integers({10, 20, 30})}), ElementsAre(11, 22, 33, 14, 25, 36));
  EXPECT_THAT(Fold(Node("Div"), {Integers({7, -7}), Integers({2})}), ElementsAre(3, -3));
}

TEST(FoldNode, SurvivesTheLimitsOfWholeNumbers) {
  EXPECT_THAT(Fold(Node("Div"), {Integers({INT64_MIN, 5}), Integers({-1, 0})}), ElementsAre(INT64_MIN, 0));
  EXPECT_THAT(Fold(Node("Mul"), {Integers({INT64_MAX}), Integers({2})}), ElementsAre(-2));
}

TEST(FoldNode, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Error(Node("Gather"), {Integers({5}), Integers({1})}),
            "node 'n' (Gather) of constants: index 1 of a dimension of 1");
  EXPECT_EQ(Error(Node("Add"), {Integers({5})}), "node 'n' (Add) of constants: an input is missing");
  EXPECT_THAT(Error(Node("Add"), {Integers({1, 2}), Integers({1, 2, 3})}), HasSubstr("do not fit"));
  EXPECT_THAT(Error(Node("ConstantOfShape"), {Integers({1 << 20, 1 << 20})}), HasSubstr("the limit is 67108864"));
  EXPECT_THAT(Error(Node("ConstantOfShape"), {Integers({0, INT64_MAX, INT64_MAX})}), HasSubstr("the limit is"));
}

TEST(ResolveReshape, KeepsZerosAndFillsOne) {
  EXPECT_THAT(*ResolveReshape({2, 3, 4}, {0, -1}, false), ElementsAre(2, 12));
  EXPECT_THAT(*ResolveReshape({2, 3, 4}, {4, 6}, false), ElementsAre(4, 6));
  EXPECT_FALSE(ResolveReshape({2, 3, 4}, {-1, -1}, false).ok());
  EXPECT_FALSE(ResolveReshape({2, 3, 4}, {5, -1}, false).ok());
  EXPECT_FALSE(ResolveReshape({2, 3, 4}, {0, 0}, true).ok());
  EXPECT_FALSE(ResolveReshape({0, 4}, {0, INT64_MAX, INT64_MAX}, true).ok());
}

}  // namespace
}  // namespace anybit::model
