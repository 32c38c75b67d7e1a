// The methods that describe the server and its network: bytes in, bytes out. They touch no request.
#ifndef ANYBIT_SERVER_DESCRIPTION_METHODS_H_
#define ANYBIT_SERVER_DESCRIPTION_METHODS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "server/model_statistics.h"
#include "server/served_model.h"
#include "server/serving_state.h"

namespace anybit::server {

inline constexpr absl::string_view kServerName = "anybit";

// Any thread.
class DescriptionMethods {
 public:
  // All must outlive this.
  DescriptionMethods(const ServedModel& model, const SharedServingState& state, const ModelStatistics& statistics)
      : model_(model), state_(state), statistics_(statistics) {}

  // Whether `method`, such as /inference.GRPCInferenceService/ServerReady, is one of them.
  static bool Offers(absl::string_view method);

  // Answers the serialised `request` of a method that is offered. InvalidArgument if it cannot be parsed.
  grpc::Status Answer(absl::string_view method, grpc::ByteBuffer& request, grpc::ByteBuffer& response) const;

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
  // An empty name means all models.
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

 private:
  const ServedModel& model_;
  const SharedServingState& state_;
  const ModelStatistics& statistics_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_DESCRIPTION_METHODS_H_
