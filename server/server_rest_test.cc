// The whole server over HTTP: the protocol's REST form, and how it ends.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/json.h"
#include "server/http/testing/http_get.h"
#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using testing::Ended;
using testing::Gate;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpReply;
using testing::HttpSend;
using ::testing::Not;
using testing::Options;
using testing::RefusedCalls;
using testing::ServerFixture;
using testing::SumNetwork;
using testing::WaitUntil;

constexpr char kInfer[] = "/v2/models/sums/infer";

HttpReply Post(int port, const std::string& path, const std::string& body, const std::string& fields = "") {
  return HttpSend(port, absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ",
                                     body.size(), "\r\n", fields, "\r\n", body));
}

Json Body(const HttpReply& reply) {
  const absl::StatusOr<Json> body = ParseJson(reply.body);
  EXPECT_TRUE(body.ok()) << reply.body;
  return body.value_or(Json());
}

std::string Error(const HttpReply& reply) { return Body(reply).value("error", ""); }

// A request for the sum of 1, 2, 3 and 4; `members` go into the request.
std::string Request(const std::string& members = "") {
  return absl::StrCat(R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,2,2,1],"data":[1,2,3,4]}])", members,
                      "}");
}

class ServerRestTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { shared_ = new ServerFixture(Options("127.0.0.1:0")); }
  static void TearDownTestSuite() { delete shared_; }

  static int port() { return shared_->server().http_port(); }

  static inline ServerFixture* shared_ = nullptr;
};

TEST_F(ServerRestTest, ARequestInJsonIsAnsweredInJson) {
  const HttpReply reply = Post(port(), kInfer, Request(R"(,"id":"7","parameters":{"operating_point":"fp32"})"));
  EXPECT_EQ(reply.code, 200) << reply.body;
  EXPECT_THAT(reply.header, HasSubstr("Content-Type: application/json"));
  const Json body = Body(reply);
  EXPECT_EQ(body["model_name"], "sums");
  EXPECT_EQ(body["id"], "7");
  EXPECT_EQ(body["parameters"]["operating_point"], "fp32");
  EXPECT_EQ(body["parameters"]["expected_accuracy_bp"], 9300);
  EXPECT_EQ(body["outputs"][0]["data"].dump(), "[10,1010,2010]");
  EXPECT_EQ(body["outputs"][0]["shape"].dump(), "[1,3]");
}

TEST_F(ServerRestTest, TensorsMayFollowTheJson) {
  const std::string json =
      R"({"parameters":{"binary_data_output":true,"operating_point":"fp32"},"inputs":[{"name":"image",)"
      R"("datatype":"UINT8","shape":[1,2,2,1],"parameters":{"binary_data_size":4}}]})";
  const HttpReply reply = Post(port(), kInfer, json + std::string("\1\2\3\4", 4),
                               absl::StrCat("Inference-Header-Content-Length: ", json.size(), "\r\n"));
  EXPECT_EQ(reply.code, 200) << reply.body;
  const size_t at = reply.header.find("Inference-Header-Content-Length: ");
  ASSERT_NE(at, std::string::npos) << reply.header;
  const std::string tensors = reply.body.substr(std::stoul(reply.header.substr(at + 33)));
  const float expected[] = {10, 1010, 2010};
  EXPECT_EQ(tensors, std::string(reinterpret_cast<const char*>(expected), sizeof(expected)));
}

TEST_F(ServerRestTest, ClassesComeAsTexts) {
  const HttpReply reply =
      Post(port(), kInfer, Request(R"(,"outputs":[{"name":"logits","parameters":{"classification":1}}])"));
  EXPECT_THAT(std::string(Body(reply)["outputs"][0]["data"][0]), HasSubstr(":2:two"));
}

TEST_F(ServerRestTest, TheServerDescribesItselfAndItsModel) {
  EXPECT_EQ(Body(HttpGet(port(), "/v2"))["name"], "anybit");
  for (const auto& [path, body] : {std::pair("/v2/health/live", R"({"live":true})"),
                                   {"/v2/health/ready", R"({"ready":true})"},
                                   {"/v2/models/sums/ready", R"({"name":"sums","ready":true})"}}) {
    EXPECT_EQ(HttpGet(port(), path).code, 200);
    EXPECT_EQ(HttpGet(port(), path).body, body);
  }
  EXPECT_EQ(HttpGet(port(), "/v2/models/sums/versions/7/ready").code, 200);
  const Json metadata = Body(HttpGet(port(), "/v2/models/sums"));
  EXPECT_EQ(metadata["inputs"][0]["shape"].dump(), "[-1,2,2,1]");
  EXPECT_EQ(metadata["properties"]["operating_points"], "fp32,w8a8,w4a4f,w1a1");
  const Json config = Body(HttpGet(port(), "/v2/models/sums/config"));
  EXPECT_EQ(config["input"][0]["data_type"], "TYPE_UINT8");
  EXPECT_EQ(config["input"][0]["dims"].dump(), "[2,2,1]");
  const Json index = Body(Post(port(), "/v2/repository/index", R"({"ready":true})"));
  EXPECT_EQ(index[0]["state"], "READY");
}

TEST_F(ServerRestTest, AnUnknownModelOrVersionIsNotFound) {
  for (const char* path : {"/v2/models/other", "/v2/models/other/ready", "/v2/models/sums/versions/2/config"}) {
    EXPECT_EQ(HttpGet(port(), path).code, 404) << path;
  }
  const HttpReply reply = Post(port(), "/v2/models/other/infer", Request());
  EXPECT_EQ(reply.code, 404);
  EXPECT_EQ(Error(reply), "Request for unknown model: 'other' is not found");
  EXPECT_EQ(HttpGet(port(), "/v2/models/sums/versions/x").code, 400);
}

TEST_F(ServerRestTest, AnUnknownPathIsNotFoundAndAWrongMethodIsNamed) {
  EXPECT_EQ(Error(HttpGet(port(), "/v2/nothing")), "there is nothing at '/v2/nothing'");
  EXPECT_EQ(HttpGet(port(), "/v3").code, 404);
  EXPECT_EQ(HttpGet(port(), "/v2x").code, 404);
  const HttpReply reply = HttpGet(port(), kInfer);
  EXPECT_EQ(reply.code, 405);
  EXPECT_THAT(reply.header, HasSubstr("Allow: POST"));
  EXPECT_EQ(Post(port(), "/v2", "").code, 405);
}

TEST_F(ServerRestTest, ARequestThatIsNotValidIsToldWhy) {
  const int invalid = Ended(shared_->server(), "invalid");
  EXPECT_EQ(Post(port(), kInfer, "no json").code, 400);
  EXPECT_EQ(RefusedCalls(shared_->server(), "malformed_message"), 1);
  const HttpReply shape =
      Post(port(), kInfer, R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,3],"data":[1,2,3]}]})");
  EXPECT_EQ(shape.code, 400);
  EXPECT_THAT(Error(shape), HasSubstr("Expected [-1,2,2,1], got [1,3]"));
  EXPECT_THAT(Error(Post(port(), kInfer, Request(R"(,"parameters":{"timeout":"soon"})"))),
              HasSubstr("invalid value type for 'timeout'"));
  EXPECT_THAT(Error(Post(port(), kInfer, Request(), "Inference-Header-Content-Length: x\r\n")),
              HasSubstr("Inference-Header-Content-Length is 'x', not a number"));
  EXPECT_EQ(Post(port(), kInfer, Request(), "Content-Encoding: br\r\n").code, 501);
  EXPECT_EQ(Post(port(), kInfer, std::string(500'000, ' ')).code, 413);
  EXPECT_EQ(Ended(shared_->server(), "invalid"), invalid + 5);
}

// ---- Life and memory

TEST(ServerRestLifeTest, AClientThatGoesAwayCancelsItsRequest) {
  Gate gate;
  ServerFixture fixture(Options("127.0.0.1:0"), gate.Hold());
  testing::Call running(fixture.stub(), testing::Request());
  gate.WaitUntilARunBegan();
  // The server closes nothing while a request waits, so the end comes from here.
  testing::HttpSendAndLeave(fixture.server().http_port(),
                            absl::StrCat("POST ", kInfer, " HTTP/1.1\r\nHost: x\r\nContent-Length: ", Request().size(),
                                         "\r\n\r\n", Request()));
  WaitUntil([&] { return Ended(fixture.server(), "cancelled"); }, 1);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
}

TEST(ServerRestLifeTest, ADrainAnswersRequestsAndRefusesNewOnes) {
  Gate gate;
  ServerFixture fixture(Options("127.0.0.1:0"), gate.Hold());
  const int port = fixture.server().http_port();
  HttpReply first, second;
  std::thread client([&] { first = Post(port, kInfer, Request()); });
  gate.WaitUntilARunBegan();
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  second = Post(port, kInfer, Request());
  EXPECT_EQ(second.code, 503);
  EXPECT_EQ(Error(second), "the server is stopping");
  EXPECT_EQ(HttpGet(port, "/v2/health/ready").code, 503);
  EXPECT_EQ(HttpGet(port, "/v2/health/live").code, 200);
  EXPECT_FALSE(drained.HasBeenNotified());
  gate.Open();
  drained.WaitForNotification();
  fixture.server().Stop(std::chrono::hours(1));
  client.join();
  EXPECT_EQ(first.code, 200);
}

TEST(ServerRestLifeTest, ARequestThatMemoryIsMissingForIsRefusedBeforeItIsRead) {
  ServerOptions options = Options("127.0.0.1:0");
  options.max_queue_bytes = 1'000'000;
  ServerFixture fixture(options);
  const HttpReply reply = HttpSend(fixture.server().http_port(),
                                   absl::StrCat("POST ", kInfer, " HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"));
  EXPECT_EQ(reply.code, 429);
  EXPECT_THAT(reply.header, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(Error(reply), HasSubstr("would exceed the server's limit of 1000000 bytes (--max_queue_bytes)"));
  EXPECT_EQ(Ended(fixture.server(), "shed"), 1);
  EXPECT_EQ(Post(fixture.server().http_port(), kInfer, Request()).code, 200);
}

TEST_F(ServerRestTest, AValidTraceParentComesBack) {
  const std::string valid = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
  EXPECT_THAT(Post(port(), kInfer, Request(), valid).header, HasSubstr(valid));
  EXPECT_THAT(Post(port(), kInfer, Request(), "traceparent: 00-other\r\n").header, Not(HasSubstr("traceparent")));
}

}  // namespace
}  // namespace anybit::server
