#include "client/load_page.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Two steps of half a second, with three calls in time, one late and one refused.
LoadReport Report() {
  const std::vector<LoadStep> steps(2, {.calls_per_second = 8, .duration = milliseconds(500)});
  const auto answered = [](Ending ending, int ms, const std::string& point, int64_t accuracy) -> CallOutcome {
    return {.ending = ending,
            .latency = milliseconds(ms),
            .top_class = 0,
            .operating_point = point,
            .expected_accuracy_bp = accuracy};
  };
  const std::vector<PlannedCall> plan = {{.at = milliseconds(0)},
                                         {.at = milliseconds(300)},
                                         {.at = milliseconds(500), .step = 1},
                                         {.at = milliseconds(600), .step = 1, .kind = 1},
                                         {.at = milliseconds(900), .step = 1}};
  const std::vector<CallOutcome> outcomes = {answered(Ending::kAttained, 5, "w8a8", 9400),
                                             answered(Ending::kAttained, 6, "w8a8", 9400),
                                             answered(Ending::kAttained, 7, "w1a1", 9200),
                                             {.ending = Ending::kShed, .latency = milliseconds(1)},
                                             answered(Ending::kLate, 80, "w1a1", 9200)};
  const std::vector<uint8_t> labels = {0};
  return ReportLoad(steps, plan, outcomes, {.labels = labels, .kinds = 2, .send_delay_limit = seconds(1)});
}

LoadSent Sent() {
  return {.options = {.server = "127.0.0.1:8001"},
          .kinds = {{.name = "gold", .request = {.deadline = milliseconds(50)}}, {.name = "<b>"}},
          .model = "fashion & co",
          .capacity = 16};
}

TEST(LoadPage, ShowsStepsTimelineAndDistributionAsFiguresOfItsOwn) {
  const std::string page = LoadPage(Sent(), Report());
  EXPECT_THAT(page, AllOf(HasSubstr("<h2>Each step</h2>\n<figure>\n<svg"), HasSubstr("<h2>Over time</h2>"),
                          HasSubstr("<h2>Latency</h2>"), HasSubstr(">objective 50</text>"), HasSubstr(">p99.9</text>"),
                          HasSubstr(">0.5x</text>"), HasSubstr(">w1a1</text>"), HasSubstr(">measured</text>")));
  EXPECT_THAT(page,
              AllOf(HasSubstr("<b>60.00 %</b><span>in time"), HasSubstr("<b>93.33 %</b><span>expected accuracy")));
}

TEST(LoadPage, LoadsNothingAndRunsNothing) {
  const std::string page = LoadPage(Sent(), Report());
  EXPECT_THAT(page, AllOf(Not(ContainsRegex("src=|href=|url\\(|@import")), Not(HasSubstr("<script")),
                          HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'\"")));
}

TEST(LoadPage, ShowsTextsOfOthersAsText) {
  const std::string page = LoadPage(Sent(), Report());
  EXPECT_THAT(page, AllOf(HasSubstr("fashion &amp; co"), HasSubstr("&lt;b&gt;"), Not(HasSubstr("<td><b>"))));
}

TEST(LoadPage, WarnsWhereTheClientWasTheBottleneck) {
  LoadReport report = Report();
  EXPECT_THAT(LoadPage(Sent(), report), Not(HasSubstr("Beware")));
  report.steps[1].client_limited = true;
  EXPECT_THAT(LoadPage(Sent(), report), HasSubstr("Beware: the client was a bottleneck"));
}

TEST(LoadPage, SaysSoWhereNoCallEnded) {
  EXPECT_THAT(LoadPage(Sent(), {}), AllOf(HasSubstr("<b>0</b><span>calls"), Not(HasSubstr("nan"))));
}

}  // namespace
}  // namespace anybit::client
