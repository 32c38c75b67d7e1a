#include "server/testing/raw_call.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"

namespace anybit::server::testing {

grpc::ByteBuffer Bytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Text(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return std::string(slice.begin(), slice.end());
}

grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, const std::string& bytes,
                     grpc::ByteBuffer* response) {
  const grpc::ByteBuffer request = Bytes(bytes);
  grpc::ByteBuffer ignored;
  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification ended;
  grpc::GenericStub(channel).UnaryCall(&context, method, {}, &request, response == nullptr ? &ignored : response,
                                       [&](grpc::Status s) {
                                         status = std::move(s);
                                         ended.Notify();
                                       });
  ended.WaitForNotification();
  return status;
}

RawCall::RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method)
    : stream_(grpc::GenericStub(channel).PrepareCall(&context_, method, &queue_)) {
  stream_->StartCall(nullptr);
  EXPECT_TRUE(Succeeds());
}

RawCall::~RawCall() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool RawCall::Succeeds() {
  void* tag = nullptr;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

bool RawCall::Write(const std::string& bytes) {
  stream_->Write(Bytes(bytes), nullptr);
  return Succeeds();
}

bool RawCall::WriteLast(const std::string& bytes) {
  stream_->WriteLast(Bytes(bytes), grpc::WriteOptions(), nullptr);
  return Succeeds();
}

bool RawCall::WritesDone() {
  stream_->WritesDone(nullptr);
  return Succeeds();
}

void RawCall::StartRead() { stream_->Read(&response_, nullptr); }

bool RawCall::FinishRead(std::string* bytes) {
  if (!Succeeds()) return false;
  *bytes = Text(response_);
  return true;
}

bool RawCall::Read(std::string* bytes) {
  StartRead();
  return FinishRead(bytes);
}

grpc::Status RawCall::Finish() {
  grpc::Status status;
  stream_->Finish(&status, nullptr);
  EXPECT_TRUE(Succeeds());
  return status;
}

}  // namespace anybit::server::testing
