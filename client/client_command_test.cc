#include "client/client_command.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "client/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::client {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

class ClientCommandTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--server", server_.address()});
    std::ostringstream out;
    std::ostringstream err;
    const int exit_code = RunClientCommand(arguments, interruption_, out, err);
    return {exit_code, out.str(), err.str()};
  }

  static std::string WriteFile(const std::string& name, const std::string& bytes) {
    std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  // IDX images of 4x4 pixels whose first pixel is the class, in the testing server's way.
  static std::string WriteImages(const std::string& name, const std::vector<char>& classes) {
    std::string bytes{0, 0, 8, 3, 0, 0, 0, static_cast<char>(classes.size()), 0, 0, 0, 4, 0, 0, 0, 4};
    for (const char c : classes) bytes += c + std::string(15, '\0');
    return WriteFile(name, bytes);
  }

  static std::string WriteLabels(const std::string& name, const std::vector<char>& labels) {
    std::string bytes{0, 0, 8, 1, 0, 0, 0, static_cast<char>(labels.size())};
    return WriteFile(name, bytes + std::string(labels.begin(), labels.end()));
  }

  // Before the server, which waits at its end for the handlers that use them.
  Interruption interruption_;
  absl::Notification may_answer_;
  TestingServer server_;
};

TEST_F(ClientCommandTest, ClassifiesEachImageOfEachFileInOrder) {
  (*server_.metadata.mutable_properties())["labels"] = "shirt,trouser,c,d,e,f,g,h,i,boot";
  const Ran ran = Run({"classify", WriteImages("two", {1, 9}), WriteImages("one", {0})});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("two[0]  trouser"));
  EXPECT_THAT(ran.out, HasSubstr("two[1]  boot"));
  EXPECT_LT(ran.out.find("boot"), ran.out.find("shirt"));
  EXPECT_THAT(ran.out, AllOf(HasSubstr("w8a8"), HasSubstr("93.21 %"), HasSubstr("1.50 ms"), HasSubstr("2.75 ms")));
}

TEST_F(ClientCommandTest, WritesOneJsonObjectPerImage) {
  const Ran ran = Run({"--json", "classify", WriteImages("one-image", {4})});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr(R"("class":4,"label":"4","probability":0.69)"),
                             EndsWith(R"("operating_point":"w8a8","bits":8,"expected_accuracy_bp":9321,)"
                                      R"("queue_us":1500,"compute_us":2750,"batch_size":1,"deadline_met":true})"
                                      "\n")));
}

TEST_F(ClientCommandTest, MeasuresTheAccuracyAgainstLabels) {
  const std::string images = WriteImages("four", {1, 2, 3, 4});
  const Ran ran = Run({"classify", images, "--labels", WriteLabels("four-labels", {1, 2, 3, 5}), "--in-flight", "2",
                       "--operating-point", "w4a4f"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("four[3]  4"));
  EXPECT_THAT(ran.out, EndsWith("\ntop-1 75.00 %: 3 of 4 answered images right (4 images)\n  w4a4f    4\n"));
}

TEST_F(ClientCommandTest, PrintsNothingButTheAccuracyOfManyImages) {
  const std::vector<char> classes(21, 3);
  const Ran ran = Run({"classify", WriteImages("many", classes), "--labels", WriteLabels("many-labels", classes)});
  EXPECT_THAT(ran.out, StartsWith("top-1 100.00 %: 21 of 21 answered images right"));
}

TEST_F(ClientCommandTest, TakesOneImageOrTheFirstOnesOfAFile) {
  const std::string images = WriteImages("three", {5, 6, 7});
  const std::string labels = WriteLabels("three-labels", {5, 6, 0});
  EXPECT_THAT(Run({"classify", images, "--index", "2", "--labels", labels}).out, HasSubstr("top-1 0.00 %: 0 of 1"));
  EXPECT_THAT(Run({"classify", images, "--first", "2", "--labels", labels}).out, HasSubstr("top-1 100.00 %: 2 of 2"));
  const Ran beyond = Run({"classify", images, "--index", "3"});
  EXPECT_EQ(beyond.exit_code, 1);
  EXPECT_THAT(beyond.err, HasSubstr("holds 3 images; asked for image 3, from 0"));
}

TEST_F(ClientCommandTest, SendsTheRequestOptions) {
  const Ran ran = Run({"classify", WriteImages("wish", {5}), "--deadline-ms", "2.5", "--min-accuracy-bp", "9000",
                       "--min-bits", "4", "--sla-class", "gold", "--tenant", "search"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const inference::ModelInferRequest request = server_.infer_requests().at(0);
  EXPECT_EQ(request.parameters().at("timeout").int64_param(), 2500);
  EXPECT_EQ(request.parameters().at("min_accuracy_bp").int64_param(), 9000);
  EXPECT_EQ(request.parameters().at("min_bits").int64_param(), 4);
  EXPECT_EQ(request.parameters().at("sla_class").string_param(), "gold");
  EXPECT_EQ(request.parameters().at("tenant").string_param(), "search");
}

TEST_F(ClientCommandTest, ReportsRefusalsAndGoesOnWithTheRest) {
  server_.verdict = [](int64_t n) {
    return n == 0 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full") : grpc::Status::OK;
  };
  const Ran ran = Run({"classify", WriteImages("some", {1, 2, 3}), "--in-flight", "1"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("RESOURCE_EXHAUSTED: queue full"), HasSubstr("some[2]  3")));
  EXPECT_THAT(ran.err, HasSubstr("1 of 3 images not answered; the first: queue full"));
}

TEST_F(ClientCommandTest, PrintsTheFinishedPartWhenItIsInterruptedAndExitsWithTheSignal) {
  // The third call is under way until it is cancelled; the fourth is never sent.
  server_.verdict = [&](int64_t n) {
    if (n == 2) {
      interruption_.Raise(SIGINT);
      may_answer_.WaitForNotification();
    }
    return grpc::Status::OK;
  };
  const std::string images = WriteImages("interrupted", {1, 2, 3, 4});
  const std::string labels = WriteLabels("interrupted-labels", {1, 2, 3, 4});
  const Ran ran = Run({"classify", images, "--labels", labels, "--in-flight", "1"});
  may_answer_.Notify();
  EXPECT_EQ(ran.exit_code, 130);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("interrupted[1]  2"), HasSubstr("top-1 100.00 %: 2 of 2"),
                             ::testing::Not(HasSubstr("interrupted[2]"))));
  EXPECT_THAT(ran.err, HasSubstr("interrupted by SIGINT after 2 of 4 images"));
  EXPECT_EQ(server_.infer_requests().size(), 3u);
}

TEST_F(ClientCommandTest, RefusesLabelsThatAreNotOnePerImage) {
  const Ran ran = Run({"classify", WriteImages("images", {1, 2}), "--labels", WriteLabels("labels", {1})});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("labels 1 labels"));
  EXPECT_THAT(server_.infer_requests(), IsEmpty());
}

TEST_F(ClientCommandTest, ShowsTheStateOfTheServerAndTheModelsProperties) {
  auto& properties = *server_.metadata.mutable_properties();
  properties["operating_points"] = "w8a8,w1a1";
  properties["operating_point.w8a8.accuracy_bp"] = "9321";
  properties["operating_point.w8a8.weight_bits"] = "8";
  properties["sla_classes"] = "gold,default";
  const Ran ran = Run({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("testing 7, live, ready"), HasSubstr("image UINT8 [n,4,4,1]"),
                             HasSubstr("  w8a8        93.21 %            8"), HasSubstr("  w1a1              -"),
                             HasSubstr("sla_classes gold,default")));
  EXPECT_THAT(Run({"status", "--json"}).out,
              AllOf(HasSubstr(R"("ready":true)"), HasSubstr(R"("operating_points":"w8a8,w1a1")")));
}

TEST_F(ClientCommandTest, ExplainsAWrongCommandLineAndExitsWithTwo) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"classify"},
                                             {"dance"},
                                             {"status", "x"},
                                             {"classify", "x", "--bits", "3"},
                                             {"classify", "x", "--first", "0"},
                                             {"classify", "x", "--first", "1", "--index", "1"},
                                             {"classify", "x", "y", "--first", "1"},
                                             {"status", "--server", "127.0.0.1"},
                                             {"status", "--server", "localhost:http"}}) {
    const Ran ran = Run(wrong);
    EXPECT_EQ(ran.exit_code, 2) << ::testing::PrintToString(wrong);
    EXPECT_THAT(ran.err, HasSubstr("usage: anybit-client"));
  }
  EXPECT_EQ(Run({"--help"}).exit_code, 0);
}

TEST_F(ClientCommandTest, ExitsWithOneWhereAFileCannotBeRead) {
  const Ran ran = Run({"classify", "/nonexistent/image.png"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("NOT_FOUND: cannot open '/nonexistent/image.png'"));
}

}  // namespace
}  // namespace anybit::client
