#include "scheduler/sim/report.h"

#include <chrono>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const PointTable& Points() {
  static const PointTable points = {{.name = "hi", .accuracy = 0.9}, {.name = "lo", .accuracy = 0.7}};
  return points;
}

TEST(ReportTest, OutcomesOfRequestsFromAFileAreInItsOrder) {
  const std::vector<OfferedRequest> requests = {{.id = 7, .place = 1}, {.id = 3, .place = 2}, {.id = 9, .place = 0}};
  SimulationResult result;
  result.requests.resize(3, {.kind = OutcomeKind::kShed});
  EXPECT_EQ(OutcomesCsv(Points(), requests, result),
            "id,outcome,point,batch,start_us,finish_us\n9,shed,,,,\n7,shed,,,,\n3,shed,,,,\n");
}

TEST(ReportTest, OutcomesAreInTheRequestsOrderWithMicrosecondsToTheNanosecond) {
  const std::vector<OfferedRequest> requests = {{.id = 7}, {.id = 3}, {.id = 9}, {.id = 1}};
  SimulationResult result;
  result.requests = {{.kind = OutcomeKind::kServed,
                      .in_time = true,
                      .point = ToPointId(1),
                      .batch_rows = 4,
                      .start = MonoTime(Duration(12'000)),
                      .finish = MonoTime(Duration(1'234'050))},
                     {.kind = OutcomeKind::kShed},
                     {.kind = OutcomeKind::kExpired},
                     {.kind = OutcomeKind::kServed,
                      .batch_rows = 1,
                      .start = MonoTime(Duration(-1'500)),
                      .finish = MonoTime(Duration(-1))}};
  EXPECT_EQ(OutcomesCsv(Points(), requests, result),
            "id,outcome,point,batch,start_us,finish_us\n"
            "7,served,lo,4,12,1234.05\n"
            "3,shed,,,,\n"
            "9,expired,,,,\n"
            "1,served,hi,1,-1.5,-0.001\n");
}

TEST(ReportTest, TheTableHasAColumnForEachPolicyAndOnlyRowsWithSomethingInThem) {
  const std::vector<PolicyReport> reports = {
      {.policy = "one",
       .summary = {.offered = 10,
                   .attained = 8,
                   .attainment = 0.8,
                   .utility = 0.72,
                   .utility_sum = 7.2,
                   .served_accuracy = 0.9,
                   .attained_by_point = {8, 0}}},
      {.policy = "a-rather-long-name", .summary = {.offered = 10, .shed = 10, .attained_by_point = {0, 0}}}};
  const std::string table = SummaryTable(Points(), reports, UtilityBound{.sum = 9, .exact = true});
  EXPECT_THAT(table, AllOf(HasSubstr("policy                             one  a-rather-long-name\n"),
                           HasSubstr("in time                              8                   0\n"),
                           HasSubstr("attainment                     80.00 %              0.00 %\n"),
                           HasSubstr("bound (exact)                  0.90000             0.90000\n"),
                           HasSubstr("utility / bound                0.80000             0.00000\n"),
                           HasSubstr("  at hi                       100.00 %                    \n")));
  EXPECT_THAT(table, AllOf(Not(HasSubstr("latency")), Not(HasSubstr("fairness")), Not(HasSubstr("decision"))));
  EXPECT_THAT(SummaryTable(Points(), reports, std::nullopt), Not(HasSubstr("bound")));
}

}  // namespace
}  // namespace anybit::scheduler::sim
