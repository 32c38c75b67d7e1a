#include "server/description_methods.h"

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/version.h"
#include "proto/inference.grpc.pb.h"
#include "server/describe_model.h"
#include "server/grpc_status.h"
#include "server/parse_message.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using D = DescriptionMethods;

// `method` may want the caller, too.
template <typename Request, typename Response, auto method>
grpc::Status AnswerBytes(const D& methods, const Caller& caller, grpc::ByteBuffer& request_bytes,
                         grpc::ByteBuffer& response_bytes) {
  Request request;
  if (absl::Status parsed = ParseMessage(request_bytes, request); !parsed.ok()) return ToGrpcStatus(parsed);
  Response response;
  absl::Status status;
  if constexpr (std::is_invocable_v<decltype(method), const D&, const Caller&, const Request&, Response&>) {
    status = (methods.*method)(caller, request, response);
  } else {
    status = (methods.*method)(request, response);
  }
  if (!status.ok()) return ToGrpcStatus(status);
  bool own_buffer;
  return grpc::SerializationTraits<Response>::Serialize(response, &response_bytes, &own_buffer);
}

struct Method {
  absl::string_view name;
  grpc::Status (*answer)(const D&, const Caller& caller, grpc::ByteBuffer& request, grpc::ByteBuffer& response);
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
    {"/inference.GRPCInferenceService/TraceSetting",
     AnswerBytes<inference::TraceSettingRequest, inference::TraceSettingResponse, &D::TraceSetting>},
    {"/inference.GRPCInferenceService/LogSettings",
     AnswerBytes<inference::LogSettingsRequest, inference::LogSettingsResponse, &D::LogSettings>},
};

const Method* Find(absl::string_view name) {
  for (const Method& method : kMethods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

bool DescriptionMethods::Offers(absl::string_view method) { return Find(method) != nullptr; }

grpc::Status DescriptionMethods::Answer(absl::string_view method, const Caller& caller, grpc::ByteBuffer& request,
                                        grpc::ByteBuffer& response) const {
  return Find(method)->answer(*this, caller, request, response);
}

absl::Status DescriptionMethods::ServerReady(const inference::ServerReadyRequest& request,
                                             inference::ServerReadyResponse& response) const {
  response.set_ready(parts_.state == ServingState::kReady && parts_.versions.labels().stable != nullptr);
  return absl::OkStatus();
}

absl::Status DescriptionMethods::ModelReady(const inference::ModelReadyRequest& request,
                                            inference::ModelReadyResponse& response) const {
  const absl::Status known = parts_.versions.Find(request.name(), request.version()).status();
  response.set_ready(known.ok() && parts_.state == ServingState::kReady);
  // A model that is not here is not ready, which answers the question.
  return absl::IsNotFound(known) ? absl::OkStatus() : known;
}

absl::Status DescriptionMethods::ServerMetadata(const inference::ServerMetadataRequest& request,
                                                inference::ServerMetadataResponse& response) const {
  response.set_name(std::string(kServerName));
  response.set_version(std::string(kVersion));
  for (const char* extension :
       {"classification", "model_configuration", "parameters", "schedule_policy", "statistics"}) {
    response.add_extensions(extension);
  }
  if (!parts_.is_admin) return absl::OkStatus();
  for (const char* extension : {"model_repository", "trace", "logging"}) response.add_extensions(extension);
  return absl::OkStatus();
}

absl::Status DescriptionMethods::ModelMetadata(const inference::ModelMetadataRequest& request,
                                               inference::ModelMetadataResponse& response) const {
  const absl::StatusOr<SharedVersion> found = parts_.versions.Find(request.name(), request.version());
  if (!found.ok()) return found.status();
  response = DescribeModel((*found)->model());
  const VersionLabels labels = parts_.versions.labels();
  response.clear_versions();
  for (const SharedVersion& version : labels.all()) {
    response.add_versions(absl::StrCat(version->model().network.version));
  }
  if (labels.canary != nullptr) {
    (*response.mutable_properties())["canary.version"] = absl::StrCat(labels.canary->model().network.version);
    (*response.mutable_properties())["canary.share_bp"] = absl::StrCat(labels.canary_share_bp);
  }
  return absl::OkStatus();
}

absl::Status DescriptionMethods::ModelConfig(const inference::ModelConfigRequest& request,
                                             inference::ModelConfigResponse& response) const {
  const absl::StatusOr<SharedVersion> found = parts_.versions.Find(request.name(), request.version());
  if (found.ok()) *response.mutable_config() = ConfigureModel((*found)->model());
  return found.status();
}

absl::Status DescriptionMethods::RepositoryIndex(const inference::RepositoryIndexRequest& request,
                                                 inference::RepositoryIndexResponse& response) const {
  response = parts_.repository.Index(request.ready());
  return absl::OkStatus();
}

absl::Status DescriptionMethods::Statistics(const inference::ModelStatisticsRequest& request,
                                            inference::ModelStatisticsResponse& response) const {
  std::vector<SharedVersion> versions = parts_.versions.labels().all();
  if (!request.name().empty()) {
    absl::StatusOr<SharedVersion> found = parts_.versions.Find(request.name(), request.version());
    if (!found.ok()) return found.status();
    if (!request.version().empty()) versions = {*std::move(found)};
  }
  for (const SharedVersion& version : versions) {
    inference::ModelStatistics& statistics = *response.add_model_stats();
    statistics = version->statistics().Snapshot();
    statistics.set_name(version->model().network.name);
    statistics.set_version(absl::StrCat(version->model().network.version));
  }
  return absl::OkStatus();
}

absl::Status DescriptionMethods::CheckChange(const Caller& caller) const {
  if (parts_.is_admin) return CheckAdmin(caller);
  return absl::PermissionDeniedError("settings can be read, not changed: start the server with --admin");
}

absl::Status DescriptionMethods::TraceSetting(const Caller& caller, const inference::TraceSettingRequest& request,
                                              inference::TraceSettingResponse& response) const {
  if (!request.model_name().empty()) {
    absl::Status known = parts_.versions.Find(request.model_name(), "").status();
    if (!known.ok()) return known;
  }
  if (!request.settings().empty()) {
    if (absl::Status status = CheckChange(caller); !status.ok()) return status;
    if (absl::Status status = parts_.journal.Change(request); !status.ok()) return status;
    parts_.log.Info("the settings of traces were changed");
  }
  response = parts_.journal.TraceSettings(!request.model_name().empty());
  return absl::OkStatus();
}

absl::Status DescriptionMethods::LogSettings(const Caller& caller, const inference::LogSettingsRequest& request,
                                             inference::LogSettingsResponse& response) const {
  if (!request.settings().empty()) {
    if (absl::Status status = CheckChange(caller); !status.ok()) return status;
    if (absl::Status status = parts_.log.Change(request); !status.ok()) return status;
    parts_.log.Info("the settings of the log were changed");
  }
  response = parts_.log.Settings();
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
