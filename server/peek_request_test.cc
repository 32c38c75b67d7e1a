#include "server/peek_request.h"

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/inference.grpc.pb.h"
#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;

// As gRPC delivers them: in several pieces.
grpc::ByteBuffer Pieces(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += piece) slices.emplace_back(bytes.substr(at, piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

TEST(PeekRequestTest, EverythingButTheContentsIsThere) {
  ModelInferRequest request = testing::WithInt64("timeout", 1000);
  request.set_id("7");
  grpc::ByteBuffer bytes = Pieces(request.SerializeAsString(), 5);
  const std::optional<ModelInferRequest> head = PeekRequest(bytes);
  ASSERT_TRUE(head.has_value());
  request.clear_raw_input_contents();
  EXPECT_EQ(head->SerializeAsString(), request.SerializeAsString());
}

TEST(PeekRequestTest, TheMessageCanBeReadAfterwards) {
  const ModelInferRequest request = testing::InferRequest();
  grpc::ByteBuffer bytes = Pieces(request.SerializeAsString(), 9);
  ASSERT_TRUE(PeekRequest(bytes).has_value());
  ModelInferRequest read;
  ASSERT_TRUE(grpc::SerializationTraits<ModelInferRequest>::Deserialize(&bytes, &read).ok());
  EXPECT_EQ(read.SerializeAsString(), request.SerializeAsString());
}

TEST(PeekRequestTest, AnInputWithALargeTensorInItIsLeftOut) {
  ModelInferRequest request = testing::TypedRequest(std::vector<uint32_t>(5000, 7));
  (*request.mutable_parameters())["timeout"].set_int64_param(9);
  grpc::ByteBuffer bytes = Pieces(request.SerializeAsString(), 1000);
  const std::optional<ModelInferRequest> head = PeekRequest(bytes);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->inputs_size(), 0);
  EXPECT_EQ(head->parameters().at("timeout").int64_param(), 9);
}

TEST(PeekRequestTest, WhatIsNoMessageOrTooLargeIsLeftToOthers) {
  const std::string valid = testing::InferRequest().SerializeAsString();
  ModelInferRequest large = testing::InferRequest();
  large.set_id(std::string(5000, 'x'));
  for (const std::string& text :
       {std::string("\x08\x01"),
        std::string("\x3a\x05"
                    "ab"),
        valid.substr(0, valid.size() - 1), std::string("\x3a\xff\xff\xff\xff\x0f"), large.SerializeAsString()}) {
    grpc::ByteBuffer bytes = Pieces(text, 100);
    EXPECT_FALSE(PeekRequest(bytes).has_value()) << text.size();
  }
}

}  // namespace
}  // namespace anybit::server
