// The whole server by ModelStreamInfer: many requests on one call.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "proto/inference.grpc.pb.h"
#include "server/stream_infer_calls.h"
#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelStreamInferResponse;
using ::testing::ElementsAre;
using testing::Ended;
using testing::Gate;
using ::testing::HasSubstr;
using testing::Logits;
using testing::Options;
using testing::Pinned;
using testing::Request;
using testing::ServerFixture;
using testing::SharedServerTest;
using testing::WaitUntil;

// A client of one stream.
class Stream {
 public:
  explicit Stream(ServerFixture& fixture, bool wants_status = false) {
    if (wants_status) context_.AddMetadata("triton_grpc_error", "true");
    stream_ = fixture.stub().ModelStreamInfer(&context_);
  }

  bool Write(ModelInferRequest request, const std::string& id = "") {
    request.set_id(id);
    return stream_->Write(request);
  }
  // The next response; one with the error "the stream has ended" if there is none.
  ModelStreamInferResponse Read() {
    ModelStreamInferResponse response;
    if (!stream_->Read(&response)) response.set_error_message("the stream has ended");
    return response;
  }
  void WritesDone() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<ModelInferRequest, ModelStreamInferResponse>> stream_;
};

TEST_F(SharedServerTest, AStreamAnswersEachRequestInOrder) {
  Stream stream(*shared_);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(stream.Write(Pinned("fp32"), absl::StrCat(i)));
  stream.WritesDone();
  for (int i = 0; i < 300; ++i) {
    const ModelStreamInferResponse response = stream.Read();
    ASSERT_EQ(response.error_message(), "");
    ASSERT_EQ(response.infer_response().id(), absl::StrCat(i));
    ASSERT_THAT(Logits(response.infer_response()), ElementsAre(10, 1010, 2010));
    ASSERT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  }
  EXPECT_EQ(stream.Read().error_message(), "the stream has ended");
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(SharedServerTest, AStreamWithoutRequestsEndsWell) {
  Stream stream(*shared_);
  stream.WritesDone();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(SharedServerTest, AnErrorIsAResponseAndTheStreamGoesOn) {
  Stream stream(*shared_);
  ASSERT_TRUE(stream.Write(Request("abc"), "bad"));
  ASSERT_TRUE(stream.Write(Request(), "good"));
  const ModelStreamInferResponse error = stream.Read();
  EXPECT_NE(error.error_message(), "");
  EXPECT_EQ(error.infer_response().id(), "bad");
  const ModelStreamInferResponse served = stream.Read();
  EXPECT_EQ(served.error_message(), "");
  EXPECT_EQ(served.infer_response().id(), "good");
  stream.WritesDone();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(SharedServerTest, AClientMayAskForTheStatusOfTheFirstError) {
  Stream stream(*shared_, true);
  ASSERT_TRUE(stream.Write(Request(), "good"));
  ASSERT_TRUE(stream.Write(Request("abc"), "bad"));
  EXPECT_EQ(stream.Read().infer_response().id(), "good");
  EXPECT_EQ(stream.Read().error_message(), "the stream has ended");
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST(ServerStreamTest, ACancelledStreamCancelsItsRequests) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  testing::Call running(fixture.stub(), Request());
  gate.WaitUntilARunBegan();
  Stream stream(fixture);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream.Write(Request()));
  WaitUntil([&] { return testing::Metric(fixture.server(), "anybit_queue_requests"); }, 3);
  stream.Cancel();
  WaitUntil([&] { return Ended(fixture.server(), "cancelled"); }, 3);
  gate.Open();
  EXPECT_EQ(stream.Finish().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(running.Wait().ok());
}

TEST(ServerStreamTest, AStreamHasALimitedNumberOfOpenRequests) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Stream stream(fixture);
  std::thread writer([&] {
    for (int i = 0; i < 5000; ++i) (void)stream.Write(Request(), absl::StrCat(i));
    stream.WritesDone();
  });
  gate.WaitUntilARunBegan();
  const int at_most = StreamInferCalls::kMaxOpenRequests;
  WaitUntil([&] { return testing::Metric(fixture.server(), "anybit_queue_requests") + gate.rows_begun(); }, at_most);
  gate.Open();
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(stream.Read().infer_response().id(), absl::StrCat(i));
  writer.join();
  EXPECT_TRUE(stream.Finish().ok());
}

TEST(ServerStreamTest, ADrainAnswersOpenRequestsAndEndsTheStream) {
  Gate gate;
  ServerFixture fixture(Options(), gate.Hold());
  Stream busy(fixture), idle(fixture);
  ASSERT_TRUE(busy.Write(Request(), "open"));
  gate.WaitUntilARunBegan();
  absl::Notification drained;
  fixture.server().Drain([&] { drained.Notify(); });
  gate.Open();
  EXPECT_EQ(busy.Read().infer_response().id(), "open");
  EXPECT_EQ(busy.Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(idle.Finish().error_code(), StatusCode::UNAVAILABLE);
  drained.WaitForNotification();
}

}  // namespace
}  // namespace anybit::server
