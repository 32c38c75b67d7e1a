#include "server/feedback/feedback.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/testing/idle_version.h"

namespace anybit::server {
namespace {

using anybit::v1::ReportRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// The network of sums: points fp32, w8a8, w4a4f, w1a1; three classes.
class CountedVersion final : public testing::IdleVersion {
 public:
  using IdleVersion::IdleVersion;
  void CountFeedback(PointId point, bool correct) override { counted.emplace_back(ToIndex(point), correct); }
  std::vector<std::pair<int, bool>> counted;
};

class FeedbackTest : public ::testing::Test {
 protected:
  FeedbackTest() { (void)versions_.Set({.stable = version_}); }

  static void Add(ReportRequest& report, const std::string& point, int64_t predicted, int64_t label) {
    anybit::v1::LabelledAnswer& answer = *report.add_answers();
    answer.set_operating_point(point);
    answer.set_predicted(predicted);
    answer.set_label(label);
  }
  static ReportRequest Report() {
    ReportRequest report;
    report.set_model_name("sums");
    return report;
  }
  // Whether the report is refused as a whole, with this code and text.
  void ExpectRefused(const ReportRequest& report, absl::StatusCode code, const std::string& text) {
    const absl::Status status = TakeFeedback(versions_, report);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    EXPECT_THAT(version_->counted, IsEmpty());
  }

  const std::shared_ptr<CountedVersion> version_ = std::make_shared<CountedVersion>(7);
  ServedVersions versions_{"sums"};
};

TEST_F(FeedbackTest, AnswersAreCountedByPointAndWhetherTheyWereCorrect) {
  ReportRequest report = Report();
  Add(report, "w8a8", 2, 2);
  Add(report, "w1a1", 0, 1);
  EXPECT_TRUE(TakeFeedback(versions_, report).ok());
  EXPECT_THAT(version_->counted, ElementsAre(Pair(1, true), Pair(3, false)));
}

TEST_F(FeedbackTest, NoAnswerOfABadReportIsCounted) {
  ReportRequest unknown_point = Report(), no_class = Report(), negative = Report();
  Add(unknown_point, "w8a8", 2, 2);
  Add(unknown_point, "w5a5", 2, 2);
  ExpectRefused(unknown_point, absl::StatusCode::kInvalidArgument, "answer 1: there is no operating point 'w5a5'");
  Add(no_class, "w8a8", 0, 3);
  ExpectRefused(no_class, absl::StatusCode::kInvalidArgument, "answer 0: 'label' is 3, not a class from 0 to 2");
  Add(negative, "w8a8", -1, 0);
  ExpectRefused(negative, absl::StatusCode::kInvalidArgument, "answer 0: 'predicted' is -1, not a class from 0 to 2");
}

TEST_F(FeedbackTest, ReportsOfOtherModelsAndVersionsAreNotFound) {
  ReportRequest report = Report();
  report.set_model_version("8");
  ExpectRefused(report, absl::StatusCode::kNotFound, "version 8 is not found");
  report.set_model_name("other");
  ExpectRefused(report, absl::StatusCode::kNotFound, "'other'");
}

TEST_F(FeedbackTest, AReportIsOfALimitedNumberOfAnswers) {
  ReportRequest report = Report();
  for (int i = 0; i <= kMaxFeedbackAnswers; ++i) Add(report, "w8a8", 0, 0);
  ExpectRefused(report, absl::StatusCode::kInvalidArgument, "a report of 10001 answers exceeds the limit of 10000");
}

TEST(ReadFeedbackTest, ReadsAnswers) {
  const absl::StatusOr<ReportRequest> report = ReadFeedback(
      R"({"answers": [{"operating_point": "w8a8", "predicted": 1, "label": 2}, {"operating_point": "w1a1",
          "predicted": 0, "label": -5}]})");
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->answers_size(), 2);
  EXPECT_EQ(report->answers(0).operating_point(), "w8a8");
  EXPECT_EQ(report->answers(0).predicted(), 1);
  EXPECT_EQ(report->answers(0).label(), 2);
  EXPECT_EQ(report->answers(1).label(), -5);
}

TEST(ReadFeedbackTest, RefusesOtherTextsAndNamesTheMember) {
  const auto error = [](const std::string& answer) {
    return std::string(ReadFeedback(absl::StrCat("{\"answers\": [", answer, "]}")).status().message());
  };
  EXPECT_EQ(error(R"({"predicted": 1, "label": 2})"), "answer 0: 'operating_point' must be a string");
  EXPECT_EQ(error("7"), "answer 0: 'operating_point' must be a string");
  for (const char* number : {"1.5", "\"1\"", "null", "18446744073709551615"}) {
    EXPECT_EQ(error(absl::StrCat(R"({"operating_point": "w8a8", "predicted": 1, "label": )", number, "}")),
              "answer 0: 'label' must be a whole number")
        << number;
  }
  EXPECT_EQ(ReadFeedback("{}").status().message(), "a report must have the array 'answers'");
  EXPECT_FALSE(ReadFeedback("[]").ok());
}

}  // namespace
}  // namespace anybit::server
