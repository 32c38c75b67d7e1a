#include "client/load_command.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "client/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

class LoadCommandTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--server", server_.address()});
    std::ostringstream out;
    std::ostringstream err;
    const int exit_code = RunLoadCommand(arguments, interruption_, out, err);
    return {exit_code, out.str(), err.str()};
  }

  static std::string WriteFile(const std::string& name, const std::string& bytes) {
    const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // Before the server, which waits at its end for the handlers that use them.
  Interruption interruption_;
  absl::Notification may_answer_;
  TestingServer server_;
  // Two images of class 0; the labels call the second one wrong.
  const std::string images_ =
      WriteFile("images", std::string{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4} + std::string(32, '\0'));
  const std::string labels_ = WriteFile("labels", std::string{0, 0, 8, 1, 0, 0, 0, 2, 0, 9});
};

TEST_F(LoadCommandTest, ReportsEachStepAsOneJsonObject) {
  const Ran ran = Run({"--images", images_, "--labels", labels_, "--steps", "1x,5x", "--capacity", "1000",
                       "--step-seconds", "0.02", "--arrivals", "constant", "--deadline-ms", "0", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(StartsWith(R"({"step":0,"calls_per_second":1000,"capacity":1000,"seconds":0.02,)"),
                    HasSubstr(R"("offered":20,"attained":20,"late":0,"shed":0,"expired":0,"failed":0,)"
                              R"("attainment":1,"expected_accuracy":0.9321,"top1":0.)"),
                    HasSubstr(R"("step":1,"calls_per_second":5000)"), HasSubstr(R"("operating_points":{"w8a8":100})")));
  EXPECT_EQ(server_.infer_requests().size(), 120u);
}

TEST_F(LoadCommandTest, SendsTheRequestOptionsWithEachCall) {
  const Ran ran = Run({"--images", images_, "--steps", "200", "--step-seconds", "0.01", "--arrivals", "constant",
                       "--sla-class", "gold", "--tenant", "search"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const std::vector<inference::ModelInferRequest> requests = server_.infer_requests();
  ASSERT_EQ(requests.size(), 2u);
  for (const inference::ModelInferRequest& request : requests) {
    EXPECT_EQ(request.parameters().at("sla_class").string_param(), "gold");
    EXPECT_EQ(request.parameters().at("tenant").string_param(), "search");
  }
}

TEST_F(LoadCommandTest, ReplaysRecordedTimes) {
  const std::string times = WriteFile("times", "0\n5\n10\n");
  const Ran ran = Run({"--images", images_, "--arrival_times", times, "--deadline-ms", "0", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(server_.infer_requests().size(), 3u);
  EXPECT_THAT(ran.out, HasSubstr(R"("calls_per_second":200,"seconds":0.015,)"));
}

TEST_F(LoadCommandTest, TellsTheServerTheTrueClassesOfItsAnswers) {
  const std::vector<std::string> load = {"--images", images_,          "--labels", labels_,         "--steps",
                                         "1000",     "--step-seconds", "0.02",     "--deadline-ms", "0"};
  const Ran ran = Run(load);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, Not(HasSubstr("labels")));
  int right = 0;
  const std::vector<anybit::v1::LabelledAnswer> answers = server_.labelled_answers();
  ASSERT_EQ(answers.size(), 20u);
  for (const anybit::v1::LabelledAnswer& answer : answers) {
    EXPECT_EQ(answer.operating_point(), "w8a8");
    EXPECT_EQ(answer.predicted(), 0);
    right += answer.label() == 0;
    EXPECT_THAT(answer.label(), ::testing::AnyOf(0, 9));
  }
  EXPECT_THAT(right, AllOf(::testing::Gt(0), ::testing::Lt(20)));
  std::vector<std::string> without = load;
  without.push_back("--nofeedback");
  EXPECT_EQ(Run(without).exit_code, 0);
  EXPECT_EQ(server_.labelled_answers().size(), 20u);
}

TEST_F(LoadCommandTest, SaysThatTheServerTookNoLabelsAndReportsTheLoad) {
  server_.feedback_status = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "what is that");
  const Ran ran = Run({"--images", images_, "--labels", labels_, "--steps", "1000", "--step-seconds", "0.02"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("the server took no labels: what is that"));
  EXPECT_THAT(ran.out, HasSubstr("1000.0       20"));
}

TEST_F(LoadCommandTest, SendsTheKindsOfAMixAndReportsEach) {
  const Ran ran =
      Run({"--images", images_, "--steps", "1000", "--step-seconds", "0.1", "--arrivals", "constant", "--deadline-ms",
           "0", "--mix", "gold/search@60000:3,silver", "--json", "--connections", "2", "--threads", "2"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  int gold = 0;
  for (const inference::ModelInferRequest& request : server_.infer_requests()) {
    if (request.parameters().at("sla_class").string_param() != "gold") continue;
    ++gold;
    EXPECT_EQ(request.parameters().at("tenant").string_param(), "search");
    EXPECT_GT(request.parameters().at("timeout").int64_param(), 0);
  }
  // Of 100 calls three in four, with a standard deviation of 4.3; the seed fixes the draw.
  EXPECT_NEAR(gold, 75, 15);
  EXPECT_THAT(ran.out, ContainsRegex(absl::StrCat(R"("mix":.*"gold/search@60000":.*"offered":)", gold)));
  EXPECT_EQ(server_.peers().size(), 2u);
}

TEST_F(LoadCommandTest, WritesTheFilesThatAreAskedFor) {
  const std::string folder = std::getenv("TEST_TMPDIR");
  const Ran ran = Run({"--images", images_, "--steps", "1000", "--step-seconds", "0.02", "--deadline-ms", "0", "--html",
                       folder + "/load.html", "--csv", folder + "/load.csv", "--percentiles", folder + "/load.hgrm"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto read = [&](const std::string& name) {
    std::ifstream file(folder + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_THAT(read("load.html"), AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("Load on fashion")));
  EXPECT_THAT(read("load.csv"), StartsWith("step,begin_s,"));
  EXPECT_THAT(read("load.hgrm"), HasSubstr("#[Max"));
}

TEST_F(LoadCommandTest, RefusesAFileThatCannotBeWrittenBeforeItSendsAnything) {
  const Ran ran = Run({"--images", images_, "--steps", "100", "--html", "/nowhere/load.html"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("/nowhere/load.html"));
  EXPECT_TRUE(server_.infer_requests().empty());
}

TEST_F(LoadCommandTest, CountsRefusalsAsShed) {
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full"); };
  const Ran ran = Run({"--images", images_, "--steps", "1000", "--step-seconds", "0.01", "--arrivals", "constant"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("    1000.0       10        0       0      10       0       0    0.00 %"),
                             Not(HasSubstr("capacity"))));
}

TEST_F(LoadCommandTest, PinsTheCapacityPointOnlyWhileItMeasures) {
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such point"); };
  const Ran ran = Run({"--images", images_, "--steps", "1x", "--capacity-point", "w9"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("INVALID_ARGUMENT: while the capacity was measured: no such point"));
  EXPECT_EQ(server_.infer_requests().at(0).parameters().at("operating_point").string_param(), "w9");
  EXPECT_FALSE(server_.infer_requests().at(0).parameters().contains("timeout"));
}

TEST_F(LoadCommandTest, MeasuresTheCapacityWithTheFloorButNotTheObjectiveOfTheClass) {
  (*server_.metadata.mutable_properties())["sla_class.gold.accuracy_floor_bp"] = "9000";
  // One answer ends the measurement of each caller; the objective would have the server refuse.
  server_.verdict = [](int64_t) { return grpc::Status(grpc::StatusCode::INTERNAL, "enough"); };
  for (const auto& [wanted, sent] : {std::pair("8000", 9000), std::pair("9500", 9500)}) {
    const size_t before = server_.infer_requests().size();
    Run({"--images", images_, "--steps", "1x", "--sla-class", "gold", "--min-accuracy-bp", wanted});
    const inference::ModelInferRequest request = server_.infer_requests().at(before);
    EXPECT_FALSE(request.parameters().contains("sla_class"));
    EXPECT_FALSE(request.parameters().contains("timeout"));
    EXPECT_EQ(request.parameters().at("min_accuracy_bp").int64_param(), sent);
  }
}

TEST_F(LoadCommandTest, ReportsTheFinishedPartWhenItIsInterruptedAndExitsWithTheSignal) {
  // The fourth call is the second step's; it is under way until it is cancelled.
  server_.verdict = [&](int64_t n) {
    if (n == 3) {
      interruption_.Raise(SIGINT);
      may_answer_.WaitForNotification();
    }
    return grpc::Status::OK;
  };
  const Ran ran = Run({"--images", images_, "--steps", "300,100,0.001", "--step-seconds", "0.01", "--arrivals",
                       "constant", "--deadline-ms", "0", "--json"});
  may_answer_.Notify();
  EXPECT_EQ(ran.exit_code, 130);
  EXPECT_THAT(ran.out, Not(HasSubstr(R"("step":1)")));
  EXPECT_THAT(ran.err, ContainsRegex("interrupted by SIGINT: [0-3] of 5 calls had ended; they are reported"));
}

TEST_F(LoadCommandTest, SaysThatItWasInterruptedBeforeTheFirstStep) {
  server_.verdict = [&](int64_t) {
    interruption_.Raise(SIGTERM);
    return grpc::Status::OK;
  };
  const Ran ran = Run({"--images", images_, "--steps", "1x"});
  EXPECT_EQ(ran.exit_code, 143);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("interrupted by SIGTERM while the capacity was measured: no step was sent"));
}

TEST_F(LoadCommandTest, ExplainsAWrongCommandLineAndExitsWithTwo) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"--images", images_, "--steps", "0x"},
                                             {"--images", images_, "--capacity", "-3"},
                                             {"--images", images_, "--arrivals", "bursty"},
                                             {"--images", images_, "--arrival_times", "a", "--azure", "b"},
                                             {"--images", images_, "--mix", "gold:0"},
                                             {"--images", images_, "--connections", "0"},
                                             {"--images", images_, "extra"},
                                             {"--images", images_, "--server", "localhost"}}) {
    const Ran ran = Run(wrong);
    EXPECT_EQ(ran.exit_code, 2) << ::testing::PrintToString(wrong);
    EXPECT_THAT(ran.err, HasSubstr("usage: anybit-load"));
  }
}

}  // namespace
}  // namespace anybit::client
