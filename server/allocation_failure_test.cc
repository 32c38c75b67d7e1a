// A server whose memory ends: one request fails, the process lives. This program's operator new fails when told to.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/inference.grpc.pb.h"
#include "server/compose_serving.h"
#include "server/server.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

std::atomic<size_t> failing_size = 0;  // the next allocation of exactly this size fails; 0: none

bool Fails(size_t bytes) {
  size_t expected = bytes;
  return bytes != 0 && failing_size == bytes && failing_size.compare_exchange_strong(expected, 0);
}

}  // namespace
}  // namespace anybit::server

void* operator new(size_t bytes) {
  void* memory = anybit::server::Fails(bytes) ? nullptr : std::malloc(std::max<size_t>(bytes, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

TEST(AllocationFailureTest, EndsOneRequestWhereverItHappensAndTheServerServesOn) {
  constexpr int kRows = 4096;  // 16 KiB of input, 48 KiB of output
  auto server = Server::Listen(
      {.artifact = "in memory", .grpc_address = "127.0.0.1:0", .http_address = "", .max_batch = kRows}, ComposeServing);
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE((*server)->Serve(std::make_unique<testing::SumNetwork>()).ok());
  const auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", (*server)->grpc_port()), grpc::InsecureChannelCredentials()));
  inference::ModelInferRequest request;
  request.set_model_name("sums");
  auto& input = *request.add_inputs();
  input.set_name("image");
  input.set_datatype("UINT8");
  for (int64_t extent : {kRows, 2, 2, 1}) input.add_shape(extent);
  request.add_raw_input_contents(std::string(kRows * 4, 'a'));
  const auto infer = [&] {
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub->ModelInfer(&context, request, &response);
  };
  ASSERT_TRUE(infer().ok());
  // No other allocation has these sizes, gRPC's carry a header: the message's tensor, the input, the outputs, the
  // response's tensor.
  for (const int size : {kRows * 4 + 1, kRows * 4, kRows * 3 * 4, kRows * 3 * 4 + 1}) {
    SCOPED_TRACE(size);
    failing_size = static_cast<size_t>(size);
    const grpc::Status status = infer();
    EXPECT_EQ(failing_size, 0u) << "nothing of this size was allocated";
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr("no memory left for"));
    EXPECT_TRUE(infer().ok());
  }
}

}  // namespace
}  // namespace anybit::server
