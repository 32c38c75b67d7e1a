#include "server/description_methods.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/version.h"
#include "proto/inference.grpc.pb.h"
#include "server/describe_model.h"
#include "server/grpc_status.h"
#include "server/parse_message.h"
#include "server/shown_text.h"
#include "server/translate_request.h"

namespace anybit::server {
namespace {

using D = DescriptionMethods;

template <typename Request, typename Response, absl::Status (D::*method)(const Request&, Response&) const>
grpc::Status AnswerBytes(const D& methods, grpc::ByteBuffer& request_bytes, grpc::ByteBuffer& response_bytes) {
  Request request;
  if (absl::Status parsed = ParseMessage(request_bytes, request); !parsed.ok()) return ToGrpcStatus(parsed);
  Response response;
  if (absl::Status status = (methods.*method)(request, response); !status.ok()) return ToGrpcStatus(status);
  bool own_buffer;
  return grpc::SerializationTraits<Response>::Serialize(response, &response_bytes, &own_buffer);
}

struct Method {
  absl::string_view name;
  grpc::Status (*answer)(const D&, grpc::ByteBuffer& request, grpc::ByteBuffer& response);
};

constexpr Method kMethods[] = {
    {"/inference.GRPCInferenceService/ServerReady",
     AnswerBytes<inference::ServerReadyRequest, inference::ServerReadyResponse, &D::ServerReady>},
    {"/inference.GRPCInferenceService/ModelReady",
     AnswerBytes<inference::ModelReadyRequest, inference::ModelReadyResponse, &D::ModelReady>},
    {"/inference.GRPCInferenceService/ServerMetadata",
     AnswerBytes<inference::ServerMetadataRequest, inference::ServerMetadataResponse, &D::ServerMetadata>},
    {"/inference.GRPCInferenceService/ModelMetadata",
     AnswerBytes<inference::ModelMetadataRequest, inference::ModelMetadataResponse, &D::ModelMetadata>},
    {"/inference.GRPCInferenceService/ModelConfig",
     AnswerBytes<inference::ModelConfigRequest, inference::ModelConfigResponse, &D::ModelConfig>},
    {"/inference.GRPCInferenceService/RepositoryIndex",
     AnswerBytes<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse, &D::RepositoryIndex>},
    {"/inference.GRPCInferenceService/ModelStatistics",
     AnswerBytes<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse, &D::Statistics>},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus",
     AnswerBytes<inference::SystemSharedMemoryStatusRequest, inference::SystemSharedMemoryStatusResponse,
                 &D::SystemSharedMemoryStatus>},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister",
     AnswerBytes<inference::SystemSharedMemoryUnregisterRequest, inference::SystemSharedMemoryUnregisterResponse,
                 &D::SystemSharedMemoryUnregister>},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus",
     AnswerBytes<inference::CudaSharedMemoryStatusRequest, inference::CudaSharedMemoryStatusResponse,
                 &D::CudaSharedMemoryStatus>},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister",
     AnswerBytes<inference::CudaSharedMemoryUnregisterRequest, inference::CudaSharedMemoryUnregisterResponse,
                 &D::CudaSharedMemoryUnregister>},
};

const Method* Find(absl::string_view name) {
  for (const Method& method : kMethods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

bool DescriptionMethods::Offers(absl::string_view method) { return Find(method) != nullptr; }

grpc::Status DescriptionMethods::Answer(absl::string_view method, grpc::ByteBuffer& request,
                                        grpc::ByteBuffer& response) const {
  return Find(method)->answer(*this, request, response);
}

absl::Status DescriptionMethods::ServerReady(const inference::ServerReadyRequest& request,
                                             inference::ServerReadyResponse& response) const {
  response.set_ready(state_ == ServingState::kReady);
  return absl::OkStatus();
}

absl::Status DescriptionMethods::ModelReady(const inference::ModelReadyRequest& request,
                                            inference::ModelReadyResponse& response) const {
  const absl::Status known = CheckModel(request.name(), request.version(), model_.network);
  response.set_ready(known.ok() && state_ == ServingState::kReady);
  // A model that is not here is not ready, which answers the question.
  return absl::IsNotFound(known) ? absl::OkStatus() : known;
}

absl::Status DescriptionMethods::ServerMetadata(const inference::ServerMetadataRequest& request,
                                                inference::ServerMetadataResponse& response) const {
  response.set_name(std::string(kServerName));
  response.set_version(std::string(kVersion));
  for (const char* extension : {"classification", "model_configuration", "parameters", "statistics"}) {
    response.add_extensions(extension);
  }
  return absl::OkStatus();
}

absl::Status DescriptionMethods::ModelMetadata(const inference::ModelMetadataRequest& request,
                                               inference::ModelMetadataResponse& response) const {
  const absl::Status known = CheckModel(request.name(), request.version(), model_.network);
  if (known.ok()) response = DescribeModel(model_);
  return known;
}

absl::Status DescriptionMethods::ModelConfig(const inference::ModelConfigRequest& request,
                                             inference::ModelConfigResponse& response) const {
  const absl::Status known = CheckModel(request.name(), request.version(), model_.network);
  if (known.ok()) *response.mutable_config() = ConfigureModel(model_);
  return known;
}

absl::Status DescriptionMethods::RepositoryIndex(const inference::RepositoryIndexRequest& request,
                                                 inference::RepositoryIndexResponse& response) const {
  const ServingState state = state_;
  if (state != ServingState::kReady && request.ready()) return absl::OkStatus();
  auto& model = *response.add_models();
  model.set_name(model_.network.name);
  model.set_version(absl::StrCat(model_.network.version));
  model.set_state(state == ServingState::kReady ? "READY" : "UNAVAILABLE");
  if (state == ServingState::kStarting) model.set_reason("the server is starting");
  if (state == ServingState::kLeaving) model.set_reason("the server is stopping");
  return absl::OkStatus();
}

absl::Status DescriptionMethods::Statistics(const inference::ModelStatisticsRequest& request,
                                            inference::ModelStatisticsResponse& response) const {
  const absl::Status known =
      request.name().empty() ? absl::OkStatus() : CheckModel(request.name(), request.version(), model_.network);
  if (!known.ok()) return known;
  inference::ModelStatistics& statistics = *response.add_model_stats();
  statistics = statistics_.Snapshot();
  statistics.set_name(model_.network.name);
  statistics.set_version(absl::StrCat(model_.network.version));
  return absl::OkStatus();
}

namespace {

absl::Status ExpectNoRegion(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("there is no shared memory region ", ShownText(name)));
}

}  // namespace

absl::Status DescriptionMethods::SystemSharedMemoryStatus(const inference::SystemSharedMemoryStatusRequest& request,
                                                          inference::SystemSharedMemoryStatusResponse&) const {
  return ExpectNoRegion(request.name());
}

absl::Status DescriptionMethods::SystemSharedMemoryUnregister(const inference::SystemSharedMemoryUnregisterRequest&,
                                                              inference::SystemSharedMemoryUnregisterResponse&) const {
  return absl::OkStatus();
}

absl::Status DescriptionMethods::CudaSharedMemoryStatus(const inference::CudaSharedMemoryStatusRequest& request,
                                                        inference::CudaSharedMemoryStatusResponse&) const {
  return ExpectNoRegion(request.name());
}

absl::Status DescriptionMethods::CudaSharedMemoryUnregister(const inference::CudaSharedMemoryUnregisterRequest&,
                                                            inference::CudaSharedMemoryUnregisterResponse&) const {
  return absl::OkStatus();
}

}  // namespace anybit::server
