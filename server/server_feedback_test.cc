// How accurate answers are on what really comes: rows that run again, and what clients report, of a whole server.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/feedback.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "server/http/testing/http_get.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using testing::HttpReply;
using testing::Metric;
using testing::Options;
using testing::Pinned;
using testing::ServerFixture;
using testing::WaitUntil;

constexpr char kAgreeing[] = "anybit_live_rows_total{agrees=\"true\",operating_point=\"w1a1\"}";
constexpr char kCorrect[] = "anybit_feedback_rows_total{correct=\"true\",operating_point=\"w8a8\"}";
constexpr char kWrong[] = "anybit_feedback_rows_total{correct=\"false\",operating_point=\"w1a1\"}";

TEST(ServerFeedbackTest, AnAnsweredRowRunsAgainAtTheMostAccuratePoint) {
  ServerOptions options = Options();
  options.live_accuracy = 1;
  ServerFixture fixture(options);
  ASSERT_TRUE(fixture.Infer(Pinned("w1a1")).ok());
  WaitUntil([&] { return Metric(fixture.server(), kAgreeing); }, 1);
}

TEST(ServerFeedbackTest, ClientsReportWhichAnswersWereCorrect) {
  ServerFixture fixture(Options());
  const auto stub = anybit::v1::Feedback::NewStub(fixture.channel());
  anybit::v1::ReportRequest report;
  report.set_model_name("sums");
  for (const auto& [point, predicted] : {std::pair("w8a8", 2), std::pair("w1a1", 1), std::pair("w1a1", 0)}) {
    anybit::v1::LabelledAnswer& answer = *report.add_answers();
    answer.set_operating_point(point);
    answer.set_predicted(predicted);
    answer.set_label(2);
  }
  anybit::v1::ReportResponse response;
  grpc::ClientContext context, refused;
  const grpc::Status status = stub->Report(&context, report, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Metric(fixture.server(), kCorrect), 1);
  EXPECT_EQ(Metric(fixture.server(), kWrong), 2);
  report.mutable_answers(0)->set_label(3);
  EXPECT_EQ(stub->Report(&refused, report, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Metric(fixture.server(), kWrong), 2);
}

TEST(ServerFeedbackTest, ReportsHoldRequestMemory) {
  ServerOptions options = Options("127.0.0.1:0");
  options.max_queue_bytes = 600'000;
  ServerFixture fixture(options);
  anybit::v1::ReportRequest report;
  report.set_model_name("sums");
  for (int i = 0; i < 50'000; ++i) report.add_answers();  // 100 kB that would take some megabytes
  anybit::v1::ReportResponse response;
  grpc::ClientContext context;
  const grpc::Status status = anybit::v1::Feedback::NewStub(fixture.channel())->Report(&context, report, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("--max_queue_bytes"));
  const HttpReply reply = testing::HttpSend(fixture.server().http_port(),
                                            "POST /v2/models/sums/feedback HTTP/1.1\r\nHost: x\r\n"
                                            "Content-Length: 100000\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(reply.code, 429);
  WaitUntil([&] { return Metric(fixture.server(), "anybit_request_memory_bytes"); }, 0);
}

TEST(ServerFeedbackTest, TheyMayReportByRest) {
  ServerFixture fixture(Options("127.0.0.1:0"));
  const auto post = [&](const std::string& body) {
    return testing::HttpSend(fixture.server().http_port(),
                             absl::StrCat("POST /v2/models/sums/feedback HTTP/1.1\r\nHost: x\r\nContent-Length: ",
                                          body.size(), "\r\nConnection: close\r\n\r\n", body));
  };
  EXPECT_EQ(post(R"({"answers": [{"operating_point": "w8a8", "predicted": 1, "label": 1}]})").code, 200);
  EXPECT_EQ(Metric(fixture.server(), kCorrect), 1);
  const HttpReply refused = post(R"({"answers": [{"operating_point": "w9a9", "predicted": 1, "label": 1}]})");
  EXPECT_EQ(refused.code, 400);
  EXPECT_THAT(refused.body, HasSubstr("there is no operating point 'w9a9'"));
}

}  // namespace
}  // namespace anybit::server
