#include "server/grpc_status.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "proto/rpc_status.pb.h"

namespace anybit::server {
namespace {

using std::chrono::milliseconds;

TEST(GrpcStatusTest, GrpcCodesAreAbseilsNumberByNumber) {
  EXPECT_EQ(ToGrpcStatus(absl::InvalidArgumentError("x")).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("x")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ToGrpcStatus(absl::ResourceExhaustedError("x")).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ToGrpcStatus(absl::DeadlineExceededError("x")).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ToGrpcStatus(absl::CancelledError("x")).error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(ToGrpcStatus(absl::UnavailableError("x")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("x")).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ToGrpcStatus(absl::InternalError("text")).error_message(), "text");
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(GrpcStatusTest, ARefusalWithARetryTimeCarriesItAsADetailOfGooglesForm) {
  const grpc::Status status = ToGrpcStatus(absl::ResourceExhaustedError("full"), milliseconds(2345));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "full");
  google::rpc::Status detailed;
  ASSERT_TRUE(detailed.ParseFromString(status.error_details()));
  EXPECT_EQ(detailed.code(), 8);
  EXPECT_EQ(detailed.message(), "full");
  ASSERT_EQ(detailed.details_size(), 1);
  EXPECT_EQ(detailed.details(0).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
  // Field 1, a message: seconds 2 in its field 1, 345,000,000 nanoseconds in its field 2.
  EXPECT_EQ(detailed.details(0).value(), std::string("\x0a\x08\x08\x02\x10\xc0\x90\xc1\xa4\x01", 10));
}

}  // namespace
}  // namespace anybit::server
