#include "model/train/import_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/arch/registry.h"

namespace anybit::model::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

NetworkPlan Plan() { return *PlanNetwork(*ArchitectureByName("fashion_tiny")); }

ImportSheet Sheet(const NetworkPlan& plan) {
  ImportSheet sheet{.network = "mine", .command = "anybit-import", .rows = 40};
  sheet.points = {{.name = "fp32", .accuracy = 0.9, .agreement = 1, .sqnr = 120},
                  {.name = "w4a4", .accuracy = 0.8, .agreement = 0.875, .sqnr = 12.34}};
  for (size_t i = 0; i < plan.layers.size(); ++i) sheet.points[1].layers.push_back(20.0 + (i == 2 ? -5 : 1.0 * i));
  return sheet;
}

TEST(ImportSheet, ListsPointsAndLayersWorstFirst) {
  const NetworkPlan plan = Plan();
  const std::string page = SheetPage(Sheet(plan), plan);
  EXPECT_THAT(page, HasSubstr("| w4a4 | 87.50 % | 12.3 |"));
  EXPECT_THAT(page, HasSubstr("worst first at w4a4"));
  EXPECT_LT(page.find(plan.layer(2).name + " | 3x3"), page.find(plan.layer(0).name + " | 3x3"));
  EXPECT_THAT(page, HasSubstr("| " + plan.layer(2).name + " | 3x3, 8 to 8 channels, 16x16 | 15.0 |"));
}

TEST(ImportSheet, HasAccuraciesOnlyWhereThereAreLabels) {
  const NetworkPlan plan = Plan();
  ImportSheet sheet = Sheet(plan);
  EXPECT_THAT(SheetPage(sheet, plan), Not(HasSubstr("accuracy |")));
  sheet.labelled = true;
  EXPECT_THAT(SheetPage(sheet, plan), HasSubstr("| w4a4 | 80.00 % | 87.50 % | 12.3 |"));
}

TEST(ImportSheet, NamesTheWorstLayersOnOneLine) {
  const NetworkPlan plan = Plan();
  EXPECT_EQ(WorstLayers(Sheet(plan).points[1], plan),
            plan.layer(2).name + " 15.0 dB, " + plan.layer(0).name + " 20.0 dB, " + plan.layer(1).name + " 21.0 dB");
  EXPECT_EQ(WorstLayers(Sheet(plan).points[0], plan), "");
  EXPECT_THAT(WorstFirst({.layers = {3, 1, 2}}), ElementsAre(1, 2, 0));
}

}  // namespace
}  // namespace anybit::model::train
