// The methods that describe the server and its network, and its settings: bytes in, bytes out. They touch no request.
#ifndef ANYBIT_SERVER_DESCRIPTION_METHODS_H_
#define ANYBIT_SERVER_DESCRIPTION_METHODS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "server/admin_log.h"
#include "server/model_repository.h"
#include "server/request_journal.h"
#include "server/security/caller.h"
#include "server/served_versions.h"
#include "server/serving_state.h"

namespace anybit::server {

inline constexpr absl::string_view kServerName = "anybit";

// Any thread.
class DescriptionMethods {
 public:
  // All must outlive this.
  struct Parts {
    const ServedVersions& versions;
    const ModelRepository& repository;
    const SharedServingState& state;
    RequestJournal& journal;
    AdminLog& log;
    bool is_admin = false;  // settings may be changed; they may always be read
  };

  explicit DescriptionMethods(const Parts& parts) : parts_(parts) {}

  // Whether `method`, such as /inference.GRPCInferenceService/ServerReady, is one of them.
  static bool Offers(absl::string_view method);

  // Answers the serialised `request` of a method that is offered. InvalidArgument if it cannot be parsed.
  grpc::Status Answer(absl::string_view method, const Caller& caller, grpc::ByteBuffer& request,
                      grpc::ByteBuffer& response) const;

  absl::Status ServerReady(const inference::ServerReadyRequest& request,
                           inference::ServerReadyResponse& response) const;
  absl::Status ModelReady(const inference::ModelReadyRequest& request, inference::ModelReadyResponse& response) const;
  absl::Status ServerMetadata(const inference::ServerMetadataRequest& request,
                              inference::ServerMetadataResponse& response) const;
  absl::Status ModelMetadata(const inference::ModelMetadataRequest& request,
                             inference::ModelMetadataResponse& response) const;
  absl::Status ModelConfig(const inference::ModelConfigRequest& request,
                           inference::ModelConfigResponse& response) const;
  absl::Status RepositoryIndex(const inference::RepositoryIndexRequest& request,
                               inference::RepositoryIndexResponse& response) const;
  // An empty name means all models, an empty version all versions.
  absl::Status Statistics(const inference::ModelStatisticsRequest& request,
                          inference::ModelStatisticsResponse& response) const;

  // There is no shared memory: its lists are empty, and all of it is unregistered. Clients ask for both as a matter of
  // course. To register a region is not offered.
  absl::Status SystemSharedMemoryStatus(const inference::SystemSharedMemoryStatusRequest& request,
                                        inference::SystemSharedMemoryStatusResponse& response) const;
  absl::Status SystemSharedMemoryUnregister(const inference::SystemSharedMemoryUnregisterRequest& request,
                                            inference::SystemSharedMemoryUnregisterResponse& response) const;
  absl::Status CudaSharedMemoryStatus(const inference::CudaSharedMemoryStatusRequest& request,
                                      inference::CudaSharedMemoryStatusResponse& response) const;
  absl::Status CudaSharedMemoryUnregister(const inference::CudaSharedMemoryUnregisterRequest& request,
                                          inference::CudaSharedMemoryUnregisterResponse& response) const;

  // Without settings they only tell; otherwise PermissionDenied unless settings may be changed, and by this caller.
  absl::Status TraceSetting(const Caller& caller, const inference::TraceSettingRequest& request,
                            inference::TraceSettingResponse& response) const;
  absl::Status LogSettings(const Caller& caller, const inference::LogSettingsRequest& request,
                           inference::LogSettingsResponse& response) const;

 private:
  absl::Status CheckChange(const Caller& caller) const;

  const Parts parts_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_DESCRIPTION_METHODS_H_
