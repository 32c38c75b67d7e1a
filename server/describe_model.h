// What the server tells about its model: metadata and configuration, as pure functions.
#ifndef ANYBIT_SERVER_DESCRIBE_MODEL_H_
#define ANYBIT_SERVER_DESCRIBE_MODEL_H_

#include "absl/strings/string_view.h"
#include "proto/inference.pb.h"
#include "server/served_model.h"

namespace anybit::server {

inline constexpr absl::string_view kPlatform = "anybit_adaptive_network";

inference::ModelMetadataResponse DescribeModel(const ServedModel& model);
inference::ModelConfig ConfigureModel(const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_DESCRIBE_MODEL_H_
